// A question that is answered before its answer is shown: choose, say how sure you are, and the answer is locked.

import { make, say } from "./shared.js";
import { keep, kept, page } from "./answers.js";
import { rich, typeset } from "./text.js";

let views = 0;  // radio buttons of one name exclude each other, so each view has a name of its own

/** A number as it was typed: 0.42, 0,42, −3, 1e-5, 40 %; NaN if it is none. */
function typed(text, unit) {
  const plain = text.replace(/[−–]/g, "-").replace(unit, "").replace(/[\s_]|%$/g, "").replace(/^([^.]*),(\d+)$/, "$1.$2");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

/** Whether the answer is not to be shown, as in the concept inventory: then Python alone knows it. */
const withheld = (question) => question.answer === null;

function isRight(question, answer) {
  if (question.choices.length) return answer === question.answer;
  const slack = question.rounding * Math.max(Math.abs(question.answer), question.within);
  return Math.abs(answer - question.answer) <= question.within + slack;
}

/** The answers among `list` that the question can have. */
function usable(question, list) {
  const possible = (answer) => (question.choices.length ? question.choices.includes(answer) : Number.isFinite(answer));
  return (Array.isArray(list) ? list : []).filter((entry) => entry && question.levels.includes(entry.sure) && possible(entry.answer));
}

const spoken = (question, answer) => (question.choices.length ? answer : `${say(answer, 6)} ${question.unit}`.trim());

/** What is said once the answer is locked: of the last answer, and of the first if there were more. */
function verdict(question, answers) {
  if (withheld(question)) {
    const { answer, sure } = answers.at(-1);
    return [make("p", {}, "Locked: you said ", rich(spoken(question, answer)), ` (${sure}).`)];
  }
  const last = answers.at(-1), right = isRight(question, last.answer);
  const near = right && last.answer !== question.answer ? `, near enough to ${spoken(question, question.answer)}` : "";
  const head = make("b", {}, right ? "✓ Right" : "○ Not this time");
  const parts = [head, ": you said ", rich(spoken(question, last.answer)), ` (${last.sure})`];
  if (right) parts.push(rich(near));
  else parts.push("; it is ", make("b", {}, rich(spoken(question, question.answer).replace(/\.$/, ""))));
  parts.push(". ", rich(question.because));
  const lines = [make("p", {}, ...parts)];
  const reasons = Object.entries(question.why_not ?? {}), yours = reasons.find(([choice]) => choice === last.answer);
  if (yours) lines.push(make("p", {}, make("b", {}, "Why not yours? "), rich(yours[1])));
  const others = reasons.filter((reason) => reason !== yours);
  if (others.length) {
    const items = others.map(([choice, reason]) => make("li", {}, make("span", { class: "dl-quiet" }, rich(choice)), make("br"), rich(reason)));
    lines.push(make("details", {}, make("summary", {}, "Why not the others?"), make("ul", {}, ...items)));
  }
  if (answers.length > 1) {
    const first = answers[0], was = isRight(question, first.answer) ? "right" : "not right";
    lines.push(make("p", { class: "dl-quiet" }, "Your first answer is the one that counts: ",
      rich(spoken(question, first.answer)), ` (${first.sure}), ${was}.`));
  }
  return lines;
}

function view(model, el) {
  const question = model.get("_question"), name = `dl-predict-${views++}`;
  const title = question.label ?? `Prediction ${question.id}`;
  const given = () => model.get("_answers") || [];
  let anew = false;  // whether a further answer is being given

  const places = question.choices.map((choice, i) => {
    const formula = /^\$([^$]+)\$$/.exec(choice);  // a name that is a formula alone is not spoken everywhere
    const input = make("input", { type: "radio", name, value: i, "aria-label": formula && formula[1] });
    const sign = make("span", { class: "dl-sign" });
    const place = make("label", { class: "dl-choice" }, input, make("span", { class: "dl-words" }, rich(choice), " ", sign));
    return { place, input, sign, choice };
  });
  const number = make("input", { type: "text", inputmode: "decimal", autocomplete: "off", size: 10 });
  const asked = question.choices.length ? places.map(({ place }) => place)
    : [make("label", { class: "dl-number" }, make("span", { class: "dl-quiet" }, "Your answer"), number, rich(question.unit))];
  const legend = make("legend", {}, make("span", { class: "dl-kicker" }, title), rich(question.text));
  const fields = make("fieldset", {}, legend, ...asked);
  const label = make("span", { id: `${name}-sure` }, "How sure are you? This locks your answer.");
  const levels = question.levels.map((level) => make("button", { type: "button", class: "dl-level", value: level }, level));
  const sure = make("div", { class: "dl-sure", role: "group", "aria-labelledby": `${name}-sure` }, label, ...levels);
  const reveal = make("div", { class: "dl-reveal", role: "status", tabindex: "-1" });
  const again = make("button", { type: "button", class: "dl-again" }, "Answer anew");
  const note = make("div", { class: "dl-note", role: "note" });
  const root = make("div", { class: "dl-widget dl-predict", role: "group", "aria-label": title,
    "data-prediction": question.id }, fields, sure, reveal, again, note);

  const chosen = () => {
    if (!question.choices.length) return typed(number.value, question.unit);
    const place = places.find(({ input }) => input.checked);
    return place && place.choice;
  };
  const show = () => {
    const answers = given(), locked = answers.length > 0 && !anew, last = answers.at(-1);
    root.classList.toggle("dl-locked", locked);
    fields.disabled = locked;
    sure.hidden = locked;
    again.hidden = !locked || withheld(question);
    note.textContent = page.problem || model.get("_kept") || "";
    for (const { place, input, sign, choice } of places) {
      const right = locked && choice === question.answer, yours = locked && choice === last.answer;
      if (locked) input.checked = yours;
      place.classList.toggle("dl-right", right);
      sign.textContent = [right && "✓ the answer", yours && "your choice"].filter(Boolean).join(", ");
    }
    if (locked && !places.length) number.value = say(last.answer, 6);
    reveal.replaceChildren(...(locked ? verdict(question, answers) : []));
    typeset(model, root);
  };
  const ask = (text) => reveal.replaceChildren(make("p", { class: "dl-quiet" }, text));
  const lock = (level) => {
    const answer = chosen();
    if (answer === undefined) return ask("Choose an answer first.");
    if (Number.isNaN(answer)) {
      ask("That is not a number yet: type one, such as 0.42.");
      return number.focus();
    }
    anew = false;
    model.set("_answers", [...given(), { answer, sure: level, right: isRight(question, answer) }]);
    show();
    reveal.focus({ preventScroll: true });
    if (model.offline) {
      keep(question.id, given());
      note.textContent = page.problem;
    } else {
      model.save_changes();
      model.send({ given: { answer, sure: level } });
    }
  };
  const restart = () => {
    anew = true;
    for (const { input } of places) input.checked = false;
    number.value = "";
    show();
    (places.length ? places[0].input : number).focus({ preventScroll: true });
  };
  for (const button of levels) button.addEventListener("click", () => lock(button.value));
  again.addEventListener("click", restart);
  // JupyterLab takes keys from the document before they get here: a letter must not cut a cell. See shared.js.
  const keys = (event) => {
    const target = event.composedPath()[0];
    if (!root.contains(target) || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" || (event.shiftKey && event.key === "Enter")) return;
    event.stopImmediatePropagation();
    if (event.key === "Enter" && target.tagName === "INPUT") levels[0].focus(), event.preventDefault();
  };
  window.addEventListener("keydown", keys, true);
  model.on("change:_answers", show);
  model.on("change:_kept", show);
  el.classList.add("dl-place");
  el.append(root);
  show();
  return () => {
    window.removeEventListener("keydown", keys, true);
    model.off("change:_answers", show);
    model.off("change:_kept", show);
    root.remove();
  };
}

export default {
  initialize({ model }) {
    if (model.offline) {
      const question = model.get("_question");
      const answers = usable(question, kept()[question.id]);
      model.set("_answers", answers);
      page.answers[question.id] = answers;
    }
  },
  render({ model, el }) {
    return view(model, el);
  },
};
