// The answers of an exported page: the browser keeps them, for this page alone, and sends them nowhere.

const PLACE = `diffusion_lib answers ${location.pathname}`;
const CHANGED = "diffusion-answers";  // the event by which the widgets of a page hear of each other's answers

/** The page's answers by question, {id: [{answer, sure, right}, …]}, oldest first; and why they are not kept, or "". */
export const page = (globalThis.diffusionAnswers ??= { answers: {}, problem: "" });

/** What the browser has kept; what it has and cannot be read is put aside. */
export function kept() {
  let text = null;
  try {
    text = localStorage.getItem(PLACE);
    const answers = JSON.parse(text ?? "{}");
    if (answers === null || typeof answers !== "object" || Array.isArray(answers)) throw new SyntaxError("no answers");
    return answers;
  } catch (error) {
    if (error instanceof SyntaxError) {
      localStorage.setItem(`${PLACE} unreadable`, text);
      localStorage.removeItem(PLACE);
    }
    return {};
  }
}

/** Keep the answers to one question, all of them. */
export function keep(id, answers) {
  page.answers[id] = answers;
  try {
    localStorage.setItem(PLACE, JSON.stringify({ ...kept(), [id]: answers }));
  } catch {
    page.problem = "This browser keeps nothing for this page, so your answers last until you leave it.";
  }
  document.dispatchEvent(new Event(CHANGED));
}

/** Call `run` after each answer; returns the function that ends that. */
export function onAnswer(run) {
  document.addEventListener(CHANGED, run);
  return () => document.removeEventListener(CHANGED, run);
}
