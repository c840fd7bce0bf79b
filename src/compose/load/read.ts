import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
  type Node as YamlNode,
} from 'yaml';
import { ComposeFileError, type MergeTag, mapping, type Node, type Place, scalar, sequence } from './node.ts';
import { plainScalar } from './plain-scalar.ts';
import { readUsualYaml } from './usual-yaml.ts';

/** More values than any project has: what anchors of anchors of anchors grow to before the memory is full. */
const mostExpandedNodes = 500_000;

/**
 * First phase: the text of a file, as nodes. Anchors and merge keys (`<<`) are resolved.
 * @param file its name in errors
 * @returns one node per YAML document that is not empty
 * @throws ComposeFileError for bad YAML, keys written twice, keys that are no text, anchors that contain themselves
 */
export function readNodes(text: string, file: string): Node[] {
  refuseUnreadable(text, file);
  const usual = readUsualYaml(text, file);
  return usual === undefined ? readAnyYaml(text, file) : [usual];
}

/** The same by the YAML parser, which knows all of YAML and takes its time. */
export function readAnyYaml(text: string, file: string): Node[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    schema: 'failsafe',
    uniqueKeys: false,
    logLevel: 'silent',
  });
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const nodes: Node[] = [];
  for (const document of documents) {
    const fault = document.errors[0];
    if (fault !== undefined) {
      const [message] = fault.message.split(' at line ');
      const isDeep = message === 'Maximum call stack size exceeded';
      throw new ComposeFileError(
        placeOf(fault.pos[0]),
        isDeep ? 'yaml: nested too deeply' : `yaml: ${message}`,
      );
    }
    if (document.contents === null) continue;
    nodes.push(new Conversion(placeOf).convert(document.contents as YamlNode));
  }
  return nodes;
}

/** What Go's parser refuses before it looks at anything else. */
const unreadable = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u;

function refuseUnreadable(text: string, file: string): void {
  const at = text.replace(/^\uFEFF/, ' ').search(unreadable);
  if (at === -1) return;
  const before = text.slice(0, at).split('\n');
  throw new ComposeFileError(
    { file, line: before.length, column: before.at(-1)!.length + 1 },
    'yaml: control characters are not allowed',
  );
}

/** What stands behind an anchor; aliases share it. */
interface Anchored {
  written: YamlNode;
  /** Undefined while it is being converted. */
  node?: Node;
  /** How many values are in it. */
  size: number;
}

class Conversion {
  readonly #placeOf: (offset: number) => Place;
  readonly #anchors = new Map<string, Anchored>();
  #count = 0;

  constructor(placeOf: (offset: number) => Place) {
    this.#placeOf = placeOf;
  }

  convert(node: YamlNode): Node {
    const place = this.#placeOf(node.range?.[0] ?? 0);
    if (isAlias(node)) return this.#convertAlias(node, place);
    const before = this.#count;
    this.#counted(1, place);
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor === undefined) return this.#convertWritten(node, place);
    const anchored: Anchored = { written: node, size: 0 };
    this.#anchors.set(anchor, anchored);
    anchored.node = this.#convertWritten(node, place);
    anchored.size = this.#count - before;
    return anchored.node;
  }

  #counted(more: number, place: Place): void {
    this.#count += more;
    if (this.#count > mostExpandedNodes)
      throw new ComposeFileError(place, 'yaml: document contains excessive aliasing');
  }

  #convertWritten(node: YamlNode, place: Place): Node {
    const written = { place, tag: mergeTag(node, place) };
    if (isScalar(node)) return scalar(scalarValue(node, place), written);
    if (isSeq(node)) {
      const items = node.items.map(item => this.convert(item as YamlNode));
      return sequence(
        items.filter(({ tag }) => tag !== 'reset'),
        written,
      );
    }
    if (isMap(node)) return mapping(this.#entries(node as YAMLMap<YamlNode, YamlNode | null>), written);
    throw new ComposeFileError(place, 'yaml: this is neither a value, a list nor a mapping');
  }

  #convertAlias(node: Alias, place: Place): Node {
    const target = this.#anchored(node, place);
    if (target.node === undefined)
      throw new ComposeFileError(place, `yaml: anchor '${node.source}' value contains itself`);
    this.#counted(target.size, place);
    return target.node;
  }

  #anchored(alias: Alias, place: Place): Anchored {
    const target = this.#anchors.get(alias.source);
    if (target === undefined)
      throw new ComposeFileError(place, `yaml: unknown anchor '${alias.source}' referenced`);
    return target;
  }

  #entries(map: YAMLMap<YamlNode, YamlNode | null>): Map<string, Node> {
    const entries = new Map<string, Node>();
    const merged: Node[] = [];
    const lineOfKey = new Map<string, number>();
    for (const { key, value } of map.items) {
      const place = this.#placeOf(key.range?.[0] ?? 0);
      const name = this.#keyOf(key, place);
      const node = value === null ? scalar(null, { place }) : this.convert(value);
      const merges = name === '<<' && isScalar(key) && key.type === 'PLAIN';
      const earlier = lineOfKey.get(name);
      if (earlier !== undefined) {
        throw new ComposeFileError(
          place,
          `mapping key ${JSON.stringify(name)} already defined at line ${earlier}`,
        );
      }
      lineOfKey.set(name, place.line);
      if (merges) {
        merged.push(...(node.kind === 'sequence' ? node.items : [node]));
        continue;
      }
      entries.set(name, { ...node, keyPlace: place });
    }
    for (const node of merged) {
      if (node.kind !== 'mapping')
        throw new ComposeFileError(
          node.place,
          'yaml: map merge requires map or sequence of maps as the value',
        );
      for (const [name, value] of node.entries) if (!entries.has(name)) entries.set(name, value);
    }
    return entries;
  }

  #keyOf(key: YamlNode, place: Place): string {
    const resolved = isAlias(key) ? this.#anchored(key, place).written : key;
    if (isScalar(resolved)) {
      const value = scalarValue(resolved, place);
      if (typeof value === 'string') return value;
      throw new ComposeFileError(place, `non-string key: ${value} (put it in quotes)`);
    }
    throw new ComposeFileError(place, 'non-string key: a list or mapping cannot be a key');
  }
}

function scalarValue(node: Scalar, place: Place): string | number | boolean | null {
  const text = String(node.value ?? '');
  switch (node.tag) {
    case undefined:
    case '!reset':
    case '!override':
      return node.type === 'PLAIN' || node.type === undefined ? plainScalar(text) : text;
    case 'tag:yaml.org,2002:str':
      return text;
    case 'tag:yaml.org,2002:int':
    case 'tag:yaml.org,2002:float':
    case 'tag:yaml.org,2002:bool':
    case 'tag:yaml.org,2002:null':
      return plainScalar(text);
    default:
      throw new ComposeFileError(place, `yaml: tag ${node.tag} means nothing in a Compose file`);
  }
}

function mergeTag(node: YamlNode, place: Place): MergeTag | undefined {
  const tag = (node as { tag?: string }).tag;
  if (tag === '!reset') return 'reset';
  if (tag === '!override') return 'override';
  if (tag === undefined || tag.startsWith('tag:yaml.org,2002:')) return undefined;
  throw new ComposeFileError(place, `yaml: tag ${tag} means nothing in a Compose file`);
}
