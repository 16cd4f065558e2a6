/**
 * Goto expressions, computed exactly with BigInt:
 *
 *     expression = [ "+" | "-" ] sum          a leading sign counts from the cursor
 *     sum        = product *( ( "+" | "-" ) product )
 *     product    = power *( ( "*" | "/" ) power )
 *     power      = [ "-" ] value [ "^" power ]
 *     value      = number | "end" | "size" | "here" | "(" sum ")"
 *     number     = decimal, 0x or $ or h for hex, 0b, 0o; then % of the size, or KiB MiB GiB TiB PiB (K M G T P)
 *
 * Spaces, underscores and commas between digits are passed over. "end" is the last byte.
 */

export interface GotoContext {
  readonly cursor: number;
  readonly size: number;
}

export type GotoResult =
  { readonly ok: true; readonly offset: number } | { readonly ok: false; readonly message: string };

class Refusal extends Error {}

const unitShift: Record<string, bigint> = { k: 10n, m: 20n, g: 30n, t: 40n, p: 50n };
/** Enough for 2^64, and no more: 9^9^9 must not freeze the page. */
const largestExponent = 64n;
const largestMagnitude = 1n << 128n;

function parseNumber(text: string, size: bigint): bigint {
  const bare = text.replace(/[_,]/g, '');
  const hex = /^(?:0x([0-9a-f]+)|\$([0-9a-f]+)|([0-9a-f]+)h)$/i.exec(bare);
  if (hex) return BigInt(`0x${(hex[1] ?? hex[2] ?? hex[3])!}`);
  if (/^0b[01]+$/i.test(bare) || /^0o[0-7]+$/i.test(bare)) return BigInt(bare.toLowerCase());
  const decimal = /^(\d+)(?:\.(\d+))?(%|(?:[kmgtp](?:i?b)?|b|bytes)?)$/i.exec(bare);
  if (decimal) {
    const fraction = decimal[2] ?? '';
    const unit = decimal[3]!.toLowerCase();
    const scaled = BigInt(decimal[1]! + fraction);
    const scale = 10n ** BigInt(fraction.length);
    if (unit === '%') return (scaled * size) / (100n * scale);
    const shift = unitShift[unit.charAt(0)];
    if (shift !== undefined) return (scaled << shift) / scale;
    if (fraction !== '') throw new Refusal(`${text} is not a whole number`);
    return scaled;
  }
  if (/^[0-9a-f]+$/i.test(bare)) throw new Refusal(`For hex write 0x${bare}`);
  throw new Refusal(`“${text}” is not a number`);
}

class Parser {
  private at = 0;
  private readonly tokens: string[];

  constructor(
    text: string,
    private readonly cursor: bigint,
    private readonly size: bigint,
  ) {
    // Digits may be parted by single spaces, as people paste them: "1 073 741 824".
    const joined = text.replace(/(\d)[\s\u202f](?=\d{3}(?:\D|$))/g, '$1').replace(/(\d)\s+(?=%|[KMGTP]i?B\b)/gi, '$1');
    this.tokens = joined.match(/[0-9a-z_$.,%]+|\*\*|<<|[^\s]/gi) ?? [];
  }

  private peek(): string | undefined {
    return this.tokens[this.at];
  }

  private take(...wanted: string[]): string | undefined {
    const token = this.peek();
    if (token === undefined || !wanted.includes(token)) return undefined;
    ++this.at;
    return token;
  }

  private checked(value: bigint): bigint {
    if (value > largestMagnitude || value < -largestMagnitude) throw new Refusal('The number is too large');
    return value;
  }

  parse(): bigint {
    if (this.tokens.length === 0) throw new Refusal('Type an offset');
    const relative = this.peek() === '+' || this.peek() === '-';
    const value = this.sum(relative ? this.cursor : this.product());
    const rest = this.peek();
    if (rest !== undefined) throw new Refusal(`“${rest}” is not expected here`);
    return value;
  }

  private sum(first: bigint): bigint {
    let value = first;
    for (let sign = this.take('+', '-'); sign !== undefined; sign = this.take('+', '-')) {
      const operand = this.product();
      value = this.checked(sign === '+' ? value + operand : value - operand);
    }
    return value;
  }

  private product(): bigint {
    let value = this.power();
    for (let sign = this.take('*', '/'); sign !== undefined; sign = this.take('*', '/')) {
      const operand = this.power();
      if (sign === '/' && operand === 0n) throw new Refusal('Division by zero');
      value = this.checked(sign === '*' ? value * operand : value / operand);
    }
    return value;
  }

  private power(): bigint {
    if (this.take('-') !== undefined) return -this.power();
    const base = this.value();
    const sign = this.take('^', '**', '<<');
    if (sign === undefined) return base;
    const exponent = this.power();
    if (exponent < 0n || exponent > largestExponent) throw new Refusal('The exponent is out of range');
    this.checked(base);
    return this.checked(sign === '<<' ? base << exponent : base ** exponent);
  }

  private value(): bigint {
    const token = this.peek();
    if (token === undefined) throw new Refusal('A number is missing at the end');
    ++this.at;
    switch (token.toLowerCase()) {
      case 'end':
        return this.size > 0n ? this.size - 1n : 0n;
      case 'size':
        return this.size;
      case 'here':
        return this.cursor;
      case '(': {
        const value = this.sum(this.product());
        if (this.take(')') === undefined) throw new Refusal('A “)” is missing');
        return value;
      }
      default:
        if (!/^[0-9a-z$]/i.test(token)) throw new Refusal(`“${token}” is not expected here`);
        return this.checked(parseNumber(token, this.size));
    }
  }
}

/** Where an expression leads. One byte past the end means the last byte; further is refused, as is before the start. */
export function evaluateGoto(text: string, context: GotoContext): GotoResult {
  try {
    const value = new Parser(text, BigInt(context.cursor), BigInt(context.size)).parse();
    if (value < 0n) return { ok: false, message: `${value} is before the start of the file` };
    if (value > BigInt(context.size)) {
      return { ok: false, message: `0x${value.toString(16)} is beyond the end of the file` };
    }
    return { ok: true, offset: Math.max(0, Math.min(Number(value), context.size - 1)) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, message: error.message };
    throw error;
  }
}
