/** PostgreSQL's binary numeric: digits to the base 10,000 with the weight of the first; source: numeric_send. */
const SPECIAL: Readonly<Record<string, number>> = { NaN: 0xc000, Infinity: 0xd000, '-Infinity': 0xf000 };

export function numericToBinary(text: string): Buffer {
  const special = SPECIAL[text];
  if (special !== undefined) return header(0, 0, special, 0, []);
  const plain = /e/i.test(text) ? expand(text) : text;
  const negative = plain.startsWith('-');
  const [whole = '', fraction = ''] = plain.replace(/^[-+]/, '').split('.');
  const left = whole.padStart(Math.ceil(whole.length / 4) * 4, '0');
  const right = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
  const digits = (left + right).match(/.{4}/g)?.map(Number) ?? [];
  let weight = left.length / 4 - 1;
  while (digits.length > 0 && digits[0] === 0) {
    digits.shift();
    weight -= 1;
  }
  while (digits.length > 0 && digits.at(-1) === 0) digits.pop();
  return header(
    digits.length === 0 ? 0 : weight,
    digits.length,
    negative ? 0x4000 : 0,
    fraction.length,
    digits,
  );
}

function header(weight: number, count: number, sign: number, scale: number, digits: number[]): Buffer {
  const bytes = Buffer.alloc(8 + count * 2);
  bytes.writeInt16BE(count, 0);
  bytes.writeInt16BE(weight, 2);
  bytes.writeUInt16BE(sign, 4);
  bytes.writeInt16BE(scale, 6);
  for (const [at, digit] of digits.entries()) bytes.writeInt16BE(digit, 8 + at * 2);
  return bytes;
}

/** `1.5e-7` without the exponent. */
function expand(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '', fraction = ''] = mantissa.replace(/^[-+]/, '').split('.');
  const point = whole.length + Number(exponent);
  const digits = whole + fraction;
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0');
  const cut = point <= 0 ? 1 : point;
  const rest = padded.slice(cut);
  return `${negative ? '-' : ''}${padded.slice(0, cut)}${rest === '' ? '' : `.${rest}`}`;
}

export function numericFromBinary(bytes: Buffer): string {
  const [count, weight, sign, scale] = [
    bytes.readInt16BE(0),
    bytes.readInt16BE(2),
    bytes.readUInt16BE(4),
    bytes.readInt16BE(6),
  ];
  const special = Object.entries(SPECIAL).find(([, code]) => code === sign);
  if (special) return special[0];
  const group = (at: number): string =>
    at >= 0 && at < count ? String(bytes.readInt16BE(8 + at * 2)).padStart(4, '0') : '0000';
  let whole = '';
  for (let at = 0; at <= weight; at += 1) whole += group(at);
  let fraction = '';
  for (let at = weight + 1; fraction.length < scale; at += 1) fraction += group(at);
  const text = (whole.replace(/^0+(?=\d)/, '') || '0') + (scale > 0 ? `.${fraction.slice(0, scale)}` : '');
  return sign === 0x4000 ? `-${text}` : text;
}
