// The answers of an exported page: the browser keeps them, for this page alone, and sends them nowhere.

const PLACE = `diffusion_lib answers ${location.pathname}`;
const CHANGED = "diffusion-answers";  // the event by which the widgets of a page hear of each other's answers

/** Why the browser keeps nothing, where it does not; else "". */
export const storage = (globalThis.diffusionAnswers ??= { memory: {}, problem: "" });

/** All answers given on this page: {id: [{answer, sure, right}, …]}, oldest first. */
export function kept() {
  let text = null;
  try {
    text = localStorage.getItem(PLACE);
    if (text === null) return { ...storage.memory };
    const answers = JSON.parse(text);
    if (answers === null || typeof answers !== "object" || Array.isArray(answers)) throw new SyntaxError("no answers");
    return { ...answers, ...storage.memory };
  } catch (error) {
    if (error instanceof SyntaxError) {  // put aside, so that nothing is lost
      localStorage.setItem(`${PLACE} unreadable`, text);
      localStorage.removeItem(PLACE);
    }
    return { ...storage.memory };
  }
}

/** Keep the answers to one question, all of them. */
export function keep(id, answers) {
  try {
    localStorage.setItem(PLACE, JSON.stringify({ ...kept(), [id]: answers }));
  } catch {
    storage.memory[id] = answers;
    storage.problem = "This browser keeps nothing for this page, so your answers last until you leave it.";
  }
  document.dispatchEvent(new Event(CHANGED));
}

/** Call `run` after each answer; returns the function that ends that. */
export function onAnswer(run) {
  document.addEventListener(CHANGED, run);
  return () => document.removeEventListener(CHANGED, run);
}
