/** Stands for a table of the app's own database, whose keys are the ids on the wire. */
export const MESSAGES = [
  'The kettle is on.',
  'Two cups, or three?',
  'Three: Mo is on the way.',
  'There is no milk.',
  'Mo brings milk.',
  'And biscuits?',
  'And biscuits.',
  'The kettle whistles.',
  'Tea is in the pot.',
  'Four minutes.',
  'Here comes Mo.',
  'Tea is served.',
].map((data, index) => ({ id: `msg-${index}`, data }));
