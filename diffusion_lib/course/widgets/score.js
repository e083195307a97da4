// How often the predictions of a notebook were right, and how often when one was sure. Only first answers count.

import { make } from "./shared.js";
import { onAnswer, page } from "./answers.js";
import { rich, typeset } from "./text.js";

/** The first answers to the questions `asked`, counted as counts.py counts them. */
function count(asked, answers, levels) {
  const first = asked.map(({ id }) => [id, (answers[id] || [])[0]]).filter(([, answer]) => answer);
  const surest = levels.at(-1);
  return {
    asked: asked.length,
    answered: first.length,
    right: first.filter(([, answer]) => answer.right).length,
    levels: [...levels].reverse().map((level) => [level,
      first.map(([, answer]) => answer).filter(({ sure }) => sure === level).map(({ right }) => right)]),
    unanswered: asked.map(({ id }) => id).filter((id) => !first.some(([other]) => other === id)),
    surprising: first.filter(([, answer]) => answer.sure === surest && !answer.right).map(([id]) => id),
    again: first.reduce((sum, [id]) => sum + answers[id].length - 1, 0),
  };
}

const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

/** The question of that id in the same notebook, or on the same page; null where it is not shown. */
function questionOf(root, id) {
  const notebook = root.closest(".jp-Notebook") || document;
  return notebook.querySelector(`[data-prediction="${CSS.escape(id)}"]`);
}

function link(root, { id, text, here }) {
  const short = text.length > 70 && !text.includes("$") ? `${text.slice(0, 68).replace(/\s+\S*$/, "")} …` : text;
  const title = [id, short && " – ", rich(short)];
  if (!here) return make("span", {}, ...title);
  const button = make("button", { type: "button", class: "dl-link" }, ...title);
  button.addEventListener("click", () => {
    const place = questionOf(root, id);
    if (!place) return;
    place.scrollIntoView({ block: "center" });
    place.querySelector("input:enabled, button:not([hidden])")?.focus({ preventScroll: true });
  });
  return button;
}

function list(root, head, ids, asked) {
  const questions = asked.filter(({ id }) => ids.includes(id));
  return make("div", {}, make("p", {}, head),
    make("ul", {}, ...questions.map((question) => make("li", {}, link(root, question)))));
}

/** A row for each level: a square for each answer, full if right, empty if not; and the same in numbers. */
function chart(levels) {
  const rows = levels.filter(([, rights]) => rights.length).map(([level, rights]) => {
    const right = rights.filter(Boolean).length;
    const squares = [...rights].sort((a, b) => b - a).map((one) => make("i", { class: one ? "dl-hit" : "dl-miss" }));
    return make("tr", {}, make("th", { scope: "row" }, level),
      make("td", {}, make("span", { class: "dl-squares", "aria-hidden": "true" }, ...squares)),
      make("td", {}, `${right} of ${rights.length} right`));
  });
  const title = "By how sure you were; a full square is a right answer:";
  return make("div", {}, make("p", { class: "dl-quiet" }, title), make("table", { "aria-label": title }, make("tbody", {}, ...rows)));
}

export default {
  initialize() {},
  render({ model, el }) {
    const body = make("div", { "aria-live": "polite" });
    const note = make("p", { class: "dl-quiet" });
    const root = make("div", { class: "dl-widget dl-score", role: "group", "aria-label": "Your predictions" }, body, note);
    const show = () => {
      const asked = model.get("_asked").filter(({ here }) => here || !model.offline);
      const answers = model.offline ? page.answers : model.get("_answers");
      const counts = count(asked, answers, model.get("_levels"));
      const parts = [];
      if (!asked.length) {
        parts.push(make("p", {}, "No predictions have been asked yet: run the cells above, then this one."));
      } else if (!counts.answered) {
        parts.push(make("p", {}, `You have answered none of ${plural(counts.asked, "prediction")} yet.`));
      } else {
        parts.push(make("p", { class: "dl-main" },
          `You answered ${counts.answered} of ${plural(counts.asked, "prediction")}, and ${counts.right} ${
            counts.right === 1 ? "was" : "were"} right.`), chart(counts.levels));
      }
      if (counts.surprising.length) {
        parts.push(list(root, "You were sure here and it came out otherwise, so read these again:", counts.surprising, asked));
      }
      if (counts.answered && counts.unanswered.length) parts.push(list(root, "Not answered yet:", counts.unanswered, asked));
      if (counts.again) parts.push(make("p", { class: "dl-quiet" }, `${plural(counts.again, "later answer")} not counted.`));
      body.replaceChildren(...parts);
      typeset(model, body);
      note.textContent = model.offline
        ? page.problem || "Your answers are kept in this browser, for this page, and sent nowhere."
        : model.get("_kept");
    };
    const names = "change:_answers change:_asked change:_kept";
    for (const name of names.split(" ")) model.on(name, show);
    const stop = model.offline ? onAnswer(show) : () => {};
    el.classList.add("dl-place");
    el.append(root);
    show();
    return () => {
      for (const name of names.split(" ")) model.off(name, show);
      stop();
      root.remove();
    };
  },
};
