import { TemplateError } from './template-error.ts';

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'field'
  | 'dot'
  | 'variable'
  | 'identifier'
  | 'string'
  | 'number'
  | 'character'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'comma'
  | 'leftParen'
  | 'rightParen'
  | 'space'
  | 'end';

export interface Token {
  kind: TokenKind;
  text: string;
  /** Offset in the template. */
  at: number;
}

/** Inside an action, tried in this order; white space is a token because `.A .B` and `.A.B` differ. */
const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ['space', /[ \t\r\n]+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['character', /'(?:[^'\\\n]|\\.)+'/y],
  ['number', /[+-]?(?:0[xX][\da-fA-F_]+|(?:\d[\d_]*)(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)/y],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['identifier', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['comma', /,/y],
  ['leftParen', /\(/y],
  ['rightParen', /\)/y],
];

/** @throws TemplateError in Go's words */
export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    const stop = open === -1 ? source.length : open;
    const trimsLeft = open !== -1 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    let text = source.slice(at, stop);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsLeft) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', text, at });
    if (open === -1) break;
    const inside = trimsLeft ? open + 3 : open + 2;
    const action = lexComment(source, inside) ?? lexAction(source, open, inside);
    tokens.push(...action.tokens);
    at = action.next;
    trimNext = action.trims;
  }
  tokens.push({ kind: 'end', text: '', at: source.length });
  return tokens;
}

interface Lexed {
  tokens: Token[];
  next: number;
  trims: boolean;
}

function lexComment(source: string, inside: number): Lexed | undefined {
  const start = source.slice(inside).search(/[^ \t\r\n]|$/) + inside;
  if (!source.startsWith('/*', start)) return undefined;
  const end = source.indexOf('*/', start + 2);
  if (end === -1) throw new TemplateError(source, inside, 'unclosed comment');
  const close = /^([ \t\r\n]+-)?\}\}/.exec(source.slice(end + 2));
  if (close === null) throw new TemplateError(source, inside, 'comment ends before closing delimiter');
  return { tokens: [], next: end + 2 + close[0].length, trims: close[1] !== undefined };
}

function lexAction(source: string, open: number, inside: number): Lexed {
  const tokens: Token[] = [{ kind: 'open', text: '{{', at: open }];
  let at = inside;
  let depth = 0;
  for (;;) {
    const close = /^([ \t\r\n]+-)?\}\}/.exec(source.slice(at));
    if (close !== null) {
      if (depth > 0) throw new TemplateError(source, at, 'unclosed left paren');
      tokens.push({ kind: 'close', text: '}}', at });
      return { tokens, next: at + close[0].length, trims: close[1] !== undefined };
    }
    if (at >= source.length) throw new TemplateError(source, source.length, 'unclosed action');
    const token = nextToken(source, at);
    if (token.kind === 'leftParen') depth++;
    if (token.kind === 'rightParen' && --depth < 0)
      throw new TemplateError(source, at, 'unexpected right paren');
    tokens.push(token);
    at += token.text.length;
  }
}

function nextToken(source: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) return { kind, text: match[0], at };
  }
  const character = String.fromCodePoint(source.codePointAt(at)!);
  if (character === '"') throw new TemplateError(source, at, 'unterminated quoted string');
  if (character === '`') throw new TemplateError(source, at, 'unterminated raw quoted string');
  const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw new TemplateError(source, at, `unrecognized character in action: U+${code} '${character}'`);
}
