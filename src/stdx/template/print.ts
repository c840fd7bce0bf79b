import { fieldValue, plainFields } from './json.ts';
import { quote } from './quoting.ts';
import { bare, entriesOf, isStruct, itemsOf, kindOf, Typed, typeName } from './values.ts';

/** As Go's fmt prints with %v. */
export function format(value: unknown): string {
  return new Verb('v', {}).print(value);
}

/** Go's Print puts spaces between operands when neither is a string. */
export function sprint(values: readonly unknown[]): string {
  return values.reduce<string>((printed, value, at) => {
    const spaced = at > 0 && kindOf(value) !== 'string' && kindOf(values[at - 1]) !== 'string';
    return printed + (spaced ? ' ' : '') + format(value);
  }, '');
}

export function sprintln(values: readonly unknown[]): string {
  return `${values.map(format).join(' ')}\n`;
}

interface Flags {
  minus?: boolean;
  plus?: boolean;
  sharp?: boolean;
  space?: boolean;
  zero?: boolean;
  width?: number;
  precision?: number;
}

const directive = /%([-+# 0]*)(\[\d*\])?(\*|\d+)?(?:(\.)(\[\d*\])?(\*|\d*))?(\[\d*\])?(.?)/gsu;

/** fmt.Sprintf */
export function sprintf(pattern: string, values: readonly unknown[]): string {
  let next = 0;
  let reordered = false;
  let fault = '';
  const choose = (index: string | undefined) => {
    if (index === undefined) return;
    reordered = true;
    const chosen = Number(index.slice(1, -1)) - 1;
    if (index === '[]' || chosen < 0 || chosen >= values.length) fault = 'BADINDEX';
    else next = chosen;
  };
  const star = (name: string): number | undefined => {
    const value = next < values.length ? bare(values[next++]) : undefined;
    if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 1e6) return value;
    stars += `%!(${name})`;
    return undefined;
  };
  let stars = '';
  const printed = pattern.replace(
    directive,
    (
      _,
      letters: string,
      at1,
      width?: string,
      dot?: string,
      at2?: string,
      precision?: string,
      at3?: string,
      verb = '',
    ) => {
      stars = '';
      fault = '';
      const flags: Flags = {
        minus: letters.includes('-'),
        plus: letters.includes('+'),
        sharp: letters.includes('#'),
        space: letters.includes(' '),
        zero: letters.includes('0'),
      };
      choose(at1);
      if (width === '*') flags.width = star('BADWIDTH');
      else if (width !== undefined) flags.width = Number(width);
      if (flags.width !== undefined && flags.width < 0)
        Object.assign(flags, { minus: true, width: -flags.width });
      if (flags.minus) flags.zero = false;
      if (dot !== undefined) {
        choose(at2);
        flags.precision = precision === '*' ? star('BADPREC') : Number(precision);
        if (flags.precision !== undefined && flags.precision < 0) {
          flags.precision = undefined;
          stars += '%!(BADPREC)';
        }
      }
      choose(at3);
      if (verb === '') return `${stars}%!(NOVERB)`;
      if (verb === '%') return `${stars}%`;
      if (fault !== '') return `${stars}%!${verb}(${fault})`;
      if (next >= values.length) return `${stars}%!${verb}(MISSING)`;
      return stars + new Verb(verb, flags).print(values[next++]);
    },
  );
  if (reordered || next >= values.length) return printed;
  const extra = values
    .slice(next)
    .map(value => (isNothing(value) ? '<nil>' : `${typeName(value)}=${format(value)}`));
  return `${printed}%!(EXTRA ${extra.join(', ')})`;
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

/** One verb with its flags. */
class Verb {
  readonly #verb: string;
  readonly #flags: Flags;

  constructor(verb: string, flags: Flags) {
    this.#verb = verb;
    this.#flags = flags;
  }

  print(value: unknown, depth = 0): string {
    if (this.#verb === 'T') return this.#padText(typeName(value));
    if (isNothing(value))
      return this.#verb === 'v' || depth > 0 ? this.#padText('<nil>') : `%!${this.#verb}(<nil>)`;
    if (
      value instanceof Typed &&
      value.type.print !== undefined &&
      value.value !== null &&
      'vsxXq'.includes(this.#verb)
    ) {
      return this.#text(value.type.print(value.value as never), value);
    }
    switch (kindOf(value)) {
      case 'bool':
        return 'tv'.includes(this.#verb) ? this.#padText(String(bare(value))) : this.#wrong(value);
      case 'string':
        return this.#text(bare(value) as string, value);
      case 'int':
      case 'uint':
        return this.#integer(BigInt(bare(value) as number | bigint), value);
      case 'float':
        return this.#float(bare(value) as number, value);
      case 'complex': {
        const [real, imaginary] = bare(value) as [number, number];
        const part = (number: number, plus: boolean) =>
          new Verb(this.#verb === 'v' ? 'g' : this.#verb, { ...this.#flags, plus }).#float(number, number);
        return `(${part(real, false)}${part(imaginary, true)}i)`;
      }
      case 'slice':
        return `[${itemsOf(value)
          .map(item => this.print(item, depth + 1))
          .join(' ')}]`;
      case 'map':
        return `map[${entriesOf(value)
          .map(([key, item]) => `${this.print(key, depth + 1)}:${this.print(item, depth + 1)}`)
          .join(' ')}]`;
      case 'struct':
        return `{${this.#fields(value)
          .map(([name, item]) => (this.#flags.plus ? `${name}:` : '') + this.print(item, depth + 1))
          .join(' ')}}`;
      default: {
        // A pointer to a simple value prints as that.
        const { type, value: pointee } = value as Typed;
        return pointee === null
          ? this.#padText('<nil>')
          : this.print(new Typed(type.element!, pointee), depth);
      }
    }
  }

  #fields(struct: unknown): [string, unknown][] {
    if (isStruct(struct)) return plainFields(struct).map(name => [name, fieldValue(struct, name)]);
    const { type, value } = struct as Typed;
    return (type.fields ?? []).map(({ name }) => [name, (value as Record<string, unknown>)[name]]);
  }

  #wrong(value: unknown): string {
    return `%!${this.#verb}(${typeName(value)}=${format(value)})`;
  }

  #padText(text: string): string {
    const missing = (this.#flags.width ?? 0) - [...text].length;
    if (missing <= 0) return text;
    return this.#flags.minus
      ? text + ' '.repeat(missing)
      : (this.#flags.zero ? '0' : ' ').repeat(missing) + text;
  }

  #text(text: string, value: unknown): string {
    const { precision, sharp, plus, space } = this.#flags;
    const cut = precision === undefined ? text : [...text].slice(0, precision).join('');
    switch (this.#verb) {
      case 'v':
        return this.#padText(sharp ? quote(cut) : cut);
      case 's':
        return this.#padText(cut);
      case 'q':
        return this.#padText(sharp && !/[`\p{Cc}]/u.test(cut) ? `\`${cut}\`` : quote(cut, plus));
      case 'x':
      case 'X': {
        const bytes = Buffer.from(text).subarray(0, precision);
        const prefix = sharp ? '0x' : '';
        const hex = [...bytes].map(byte => byte.toString(16).padStart(2, '0'));
        const joined = space
          ? hex.map(pair => prefix + pair).join(' ')
          : (hex.length > 0 ? prefix : '') + hex.join('');
        return this.#padText(this.#verb === 'X' ? joined.toUpperCase() : joined);
      }
      default:
        return this.#wrong(value);
    }
  }

  #integer(integer: bigint, value: unknown): string {
    const { sharp, plus } = this.#flags;
    const letter = () => {
      const code = integer < 0n || integer > 0x10ffffn ? 0xfffd : Number(integer);
      return String.fromCodePoint(code);
    };
    switch (this.#verb) {
      case 'v':
      case 'd':
        return this.#signed(integer, 10, '');
      case 'b':
        return this.#signed(integer, 2, sharp ? '0b' : '');
      case 'o':
        return this.#signed(integer, 8, sharp ? '0' : '');
      case 'O':
        return this.#signed(integer, 8, '0o');
      case 'x':
        return this.#signed(integer, 16, sharp ? '0x' : '');
      case 'X':
        return this.#signed(integer, 16, sharp ? '0X' : '').replace(/[a-f]/g, hex => hex.toUpperCase());
      case 'c':
        return this.#padText(letter());
      case 'q':
        return this.#padText(quote(letter(), plus, "'"));
      case 'U': {
        const code = `U+${integer
          .toString(16)
          .toUpperCase()
          .padStart(this.#flags.precision ?? 4, '0')}`;
        return new Verb('U', { ...this.#flags, zero: false }).#padText(
          sharp ? `${code} '${letter()}'` : code,
        );
      }
      default:
        return this.#wrong(value);
    }
  }

  #signed(integer: bigint, base: number, prefix: string): string {
    const { precision, zero, width } = this.#flags;
    const sign = this.#sign(integer < 0n);
    let digits = (integer < 0n ? -integer : integer).toString(base);
    if (precision === 0 && integer === 0n) digits = '';
    digits = digits.padStart(precision ?? 0, '0');
    if (zero && precision === undefined) digits = digits.padStart((width ?? 0) - sign.length, '0');
    return new Verb('d', { ...this.#flags, zero: false }).#padText(sign + prefix + digits);
  }

  #sign(negative: boolean): string {
    return negative ? '-' : this.#flags.plus && this.#verb !== 'v' ? '+' : this.#flags.space ? ' ' : '';
  }

  #float(float: number, value: unknown): string {
    const { precision } = this.#flags;
    const size = Math.abs(float);
    let digits: string | undefined;
    switch (this.#verb) {
      case 'v':
      case 'g':
      case 'G':
        digits = shortest(size, precision);
        break;
      case 'f':
      case 'F':
        digits = size.toFixed(precision ?? 6);
        break;
      case 'e':
      case 'E':
        digits = goExponent(size.toExponential(precision ?? 6));
        break;
      case 'x':
      case 'X':
        digits = hexFloat(size);
        break;
    }
    if (digits === undefined) return this.#wrong(value);
    if (this.#verb === 'E' || this.#verb === 'G' || this.#verb === 'X') digits = digits.toUpperCase();
    const sign = this.#sign(float < 0);
    if (this.#flags.zero) return sign + digits.padStart((this.#flags.width ?? 0) - sign.length, '0');
    return this.#padText(sign + digits);
  }
}

/** As many digits as asked for, or as few as tell the number; an exponent from as many on (or six), or below 0.0001. */
function shortest(size: number, precision: number | undefined): string {
  if (size === 0) return '0';
  const [mantissa = '', exponent = '0'] = (
    precision === undefined ? size.toExponential() : size.toExponential(Math.max(precision, 1) - 1)
  ).split('e');
  const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  const power = Number(exponent);
  if (power < -4 || power >= (precision ?? 6)) return goExponent(`${trimmed}e${exponent}`);
  return Number(`${trimmed}e${exponent}`).toFixed(Math.max(0, trimmed.replace('.', '').length - 1 - power));
}

function goExponent(text: string): string {
  return text.replace(
    /e([+-])?(\d)$/,
    (_, sign: string | undefined, digit: string) => `e${sign ?? '+'}0${digit}`,
  );
}

/** `0x1.cp+01` */
function hexFloat(size: number): string {
  if (size === 0) return '0x0p+00';
  let power = Math.floor(Math.log2(size));
  if (2 ** power > size) power--;
  const mantissa = (size / 2 ** power).toString(16);
  return `0x${mantissa}p${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
