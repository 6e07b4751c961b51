// Things to try with the sample rule book: questions, and tasks with a pupil's and the correct answer.

export const QUESTIONS = [
  "почему в слове деревянный две н?",
  "мягкий знак в глаголах на -тся",
  "когда перед «как» не нужна запятая",
];
export const TASKS = [
  ["Как пишется: ветре(н/нн)ый?", "ветренный", "ветреный"],
  ["Почему в слове «водяной» пишется «о»?", "вадяной", "водяной"],
];
