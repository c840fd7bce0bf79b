import {
  type Alias,
  type Document,
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
      throw new ComposeFileError(placeOf(fault.pos[0]), `yaml: ${message}`);
    }
    if (document.contents === null) continue;
    nodes.push(new Conversion(document, placeOf).convert(document.contents as YamlNode));
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

class Conversion {
  readonly #document: Document;
  readonly #placeOf: (offset: number) => Place;
  /** Anchors whose value is being converted. */
  readonly #open = new Set<YamlNode>();
  #count = 0;

  constructor(document: Document, placeOf: (offset: number) => Place) {
    this.#document = document;
    this.#placeOf = placeOf;
  }

  convert(node: YamlNode): Node {
    const place = this.#placeOf(node.range?.[0] ?? 0);
    this.#count++;
    if (this.#count > mostExpandedNodes)
      throw new ComposeFileError(place, 'yaml: document contains excessive aliasing');
    if (isAlias(node)) return this.#convertAlias(node, place);
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
    const target = node.resolve(this.#document);
    if (target === undefined)
      throw new ComposeFileError(place, `yaml: unknown anchor '${node.source}' referenced`);
    if (this.#open.has(target))
      throw new ComposeFileError(place, `yaml: anchor '${node.source}' value contains itself`);
    this.#open.add(target);
    const converted = this.convert(target);
    this.#open.delete(target);
    return converted;
  }

  #entries(map: YAMLMap<YamlNode, YamlNode | null>): Map<string, Node> {
    const entries = new Map<string, Node>();
    const merged: Node[] = [];
    const lineOfKey = new Map<string, number>();
    for (const { key, value } of map.items) {
      const place = this.#placeOf(key.range?.[0] ?? 0);
      const name = this.#keyOf(key, place);
      const node = value === null ? scalar(null, { place }) : this.convert(value);
      if (name === '<<') {
        merged.push(...(node.kind === 'sequence' ? node.items : [node]));
        continue;
      }
      const earlier = lineOfKey.get(name);
      if (earlier !== undefined) {
        throw new ComposeFileError(
          place,
          `mapping key ${JSON.stringify(name)} already defined at line ${earlier}`,
        );
      }
      lineOfKey.set(name, place.line);
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
    const resolved = isAlias(key) ? key.resolve(this.#document) : key;
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
