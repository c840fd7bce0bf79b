import { type GoField, type GoType, named, Typed, zeroOf } from './values.ts';

const basic: Record<string, GoType> = Object.fromEntries(
  (
    [
      ['string', 'string'],
      ['bool', 'bool'],
      ['int', 'int'],
      ['int64', 'int'],
      ['uint', 'uint'],
      ['uint8', 'uint'],
      ['uint16', 'uint'],
      ['uint32', 'uint'],
      ['uint64', 'uint'],
      ['float64', 'float'],
      ['any', 'interface'],
    ] as const
  ).map(([name, kind]) => [name, { name: name === 'any' ? 'interface {}' : name, kind }]),
);

/**
 * Go's types, read from a short notation. A type begins at the line's start: `NAME` alone is a struct whose fields
 * follow, indented; `NAME TYPE` another name for a type. A field is `NAME[,NAME...] TYPE [KEY] [omitempty]`, where KEY is
 * its name in JSON; one without a type is embedded, its name being its type.
 */
export class GoTypes {
  readonly #types = new Map<string, GoType>(Object.entries(basic));

  /** @param special methods and printing of types, by name */
  constructor(notation: string, special: Record<string, Pick<GoType, 'methods' | 'print'>> = {}) {
    let fields: GoField[] = [];
    for (const line of notation.split('\n')) {
      const words = line.trim().split(' ');
      if (line.trim() === '') continue;
      if (line.startsWith(' ')) fields.push(...this.#fields(words));
      else if (words.length === 1) {
        fields = [];
        // What prints itself keeps the JSON it came as.
        const own = special[words[0]!];
        Object.assign(this.#refer(words[0]!), {
          kind: 'struct',
          fields: own?.print ? undefined : fields,
          ...own,
        });
      } else {
        const type = this.#refer(words[0]!);
        const { kind, element, key, fields: inner } = this.#refer(words[1]!);
        Object.assign(type, { kind, element, key, fields: inner, ...special[words[0]!] });
      }
    }
  }

  get(name: string): GoType {
    const type = this.#types.get(name);
    if (type === undefined) throw new Error(`there is no type ${name}`);
    return type;
  }

  /** A value of this type, from JSON: what is missing there is zero. */
  decode(name: string, json: unknown): unknown {
    return decode(this.get(name), json);
  }

  #fields([names = '', ...rest]: string[]): GoField[] {
    const omitEmpty = rest.at(-1) === 'omitempty';
    const [type, key] = omitEmpty ? rest.slice(0, -1) : rest;
    if (type === undefined) {
      const embedded = this.#refer(names);
      const name = names.replace(/^\*?(\w+\.)?/, '');
      return [{ name, key: name, type: embedded, omitEmpty: false, embedded: true }];
    }
    return names
      .split(',')
      .map(name => ({ name, key: key ?? name, type: this.#refer(type), omitEmpty, embedded: false }));
  }

  /** A type by name, made when it is first heard of: types may refer to later ones. */
  #refer(name: string): GoType {
    const known = this.#types.get(name);
    if (known !== undefined) return known;
    const map = /^map\[([^\]]+)\](.+)$/.exec(name);
    const type: GoType = { name, kind: 'struct' };
    this.#types.set(name, type);
    if (map !== null) {
      Object.assign(type, { kind: 'map', key: this.#refer(map[1]!), element: this.#refer(map[2]!) });
    } else if (name.startsWith('[]') || /^\[\d+\]/.test(name)) {
      Object.assign(type, { kind: 'slice', element: this.#refer(name.replace(/^\[\d*\]/, '')) });
    } else if (name.startsWith('*'))
      Object.assign(type, { kind: 'pointer', element: this.#refer(name.slice(1)) });
    return type;
  }
}

function decode(type: GoType, json: unknown): unknown {
  if (type.kind === 'interface') return json ?? null;
  if (json === null || json === undefined) return zeroOf(type);
  switch (type.kind) {
    case 'pointer':
      return decodePointer(type, json);
    case 'slice':
      return Array.isArray(json)
        ? new Typed(
            type,
            json.map(item => decode(type.element!, item)),
          )
        : zeroOf(type);
    case 'map':
      return new Typed(
        type,
        new Map(Object.entries(json).map(([key, item]) => [key, decode(type.element!, item)])),
      );
    case 'struct':
      return type.fields === undefined
        ? new Typed(type, json)
        : decodeStruct(type, json as Record<string, unknown>);
    default:
      return named(type, json);
  }
}

/** Templates follow pointers without a word: one to a struct is that struct, by its own type's name. */
function decodePointer(type: GoType, json: unknown): unknown {
  const { kind, fields } = type.element!;
  if (kind !== 'struct') return new Typed(type, json);
  return fields === undefined
    ? decode(type.element!, json)
    : decodeStruct({ ...type.element!, name: type.name }, json as Record<string, unknown>);
}

function decodeStruct(type: GoType, json: Record<string, unknown>): Typed {
  const fields = type.fields!.map(field => [
    field.name,
    decode(field.type, field.embedded ? json : json[field.key]),
  ]);
  return new Typed(type, Object.fromEntries(fields));
}

/** JSON as Go's maps have it when numbers are kept as they were written. */
export function decodeRaw(json: unknown): unknown {
  if (typeof json === 'number') return new Typed(jsonNumber, String(json));
  if (Array.isArray(json)) return json.map(decodeRaw);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, decodeRaw(item)]));
}

const jsonNumber: GoType = { name: 'json.Number', kind: 'string' };
