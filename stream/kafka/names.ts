/**
 * Kafka takes few letters in a topic's name, a table may be called anything. Other bytes become `-x` and two hex
 * digits; ordinary names stay as they are. One to one: `hubName(wireName(topic)) === topic`.
 */
const FOREIGN = /[^a-zA-Z0-9._-]|-(?=x[0-9a-f]{2})/gu;
const ESCAPED = /(?:-x[0-9a-f]{2})+/g;

export const wireName = (topic: string): string =>
  topic.replace(FOREIGN, (character) =>
    [...Buffer.from(character)].map((byte) => `-x${byte.toString(16).padStart(2, '0')}`).join(''),
  );

export const hubName = (name: string): string =>
  name.replace(ESCAPED, (run) => Buffer.from(run.replaceAll('-x', ''), 'hex').toString());
