/** What is looked for: read from what a person types, sent to the daemon, and kept in addresses. */

import { formatInteger, hexPairs } from './format';
import type { ByteOrder } from './inspector';
import { encodeText } from './text_encodings';

export const searchModes = ['text', 'hex', 'number', 'regex'] as const;
export type SearchMode = (typeof searchModes)[number];

/** EBCDIC is the viewer's own: the daemon is asked for the bytes. */
export const searchEncodings = [
  { name: 'utf-8', label: 'UTF-8' },
  { name: 'utf-16le', label: 'UTF-16 LE' },
  { name: 'utf-16be', label: 'UTF-16 BE' },
  { name: 'latin-1', label: 'Latin-1' },
  { name: 'ebcdic', label: 'EBCDIC' },
] as const;
export type SearchEncoding = (typeof searchEncodings)[number]['name'];

export const numberTypes = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'f32', 'f64'] as const;
export type NumberType = (typeof numberTypes)[number];

export interface SearchQuery {
  readonly mode: SearchMode;
  readonly value: string;
  /** Of text and regex: letters of ASCII match both cases. */
  readonly ignoreCase: boolean;
  /** Of text. */
  readonly encoding: SearchEncoding;
  /** Of a number. */
  readonly type: NumberType;
  readonly order: ByteOrder;
}

export type SearchOptions = Omit<SearchQuery, 'mode' | 'value'>;

/** Bytes of a pattern, or of an expression, that the daemon takes at most. */
export const longestPattern = 1024;
/** A regular match is at most this long: the daemon's automaton forgets where a longer one began. */
export const longestRegexMatch = 32 * 1024;

export type QueryResult =
  { readonly ok: true; readonly query: SearchQuery } | { readonly ok: false; readonly message: string };

const hexDigits = (text: string): string => text.replace(/\b0x/gi, '').replace(/[\s,;:]/g, '');

/**
 * What a text means that comes without a word about it: pairs of hex digits, with `?` for any, are bytes; `/…/` and `/…/i` a
 * regular expression; anything else, and anything in double quotes, is text. A number must be asked for: every number is
 * digits, and its type must be chosen anyway.
 */
export function detectMode(text: string): SearchMode {
  const trimmed = text.trim();
  if (/^".+"$/s.test(trimmed)) return 'text';
  if (/^\/.+\/i?$/s.test(trimmed)) return 'regex';
  return /^(?:[0-9a-f?]{2})+$/i.test(hexDigits(trimmed)) ? 'hex' : 'text';
}

/** The query that a text makes; `auto` takes quotes and slashes off, a chosen mode takes the text as it is. */
export function readQuery(text: string, mode: SearchMode | 'auto', options: SearchOptions): QueryResult {
  const refused = (message: string): QueryResult => ({ ok: false, message });
  let value = text;
  let { ignoreCase } = options;
  const chosen = mode === 'auto' ? detectMode(text) : mode;
  if (mode === 'auto') {
    value = text.trim();
    const quoted = /^"(.+)"$/s.exec(value);
    const slashed = /^\/(.+)\/(i?)$/s.exec(value);
    if (chosen === 'text' && quoted) value = quoted[1]!;
    if (chosen === 'regex' && slashed) {
      value = slashed[1]!;
      ignoreCase ||= slashed[2] === 'i';
    }
  }
  if (value.trim() === '' && !(chosen === 'text' && mode !== 'auto' && value !== '')) {
    return refused('Type what to look for');
  }
  switch (chosen) {
    case 'hex': {
      const digits = hexDigits(value).toLowerCase();
      if (!/^[0-9a-f?]*$/.test(digits)) return refused('Hex digits, ? for any digit');
      if (digits.length % 2 === 1) return refused('A digit is missing: two make a byte');
      if (digits.length === 0) return refused('Type what to look for');
      if (digits.length > 2 * longestPattern) return refused(`At most ${formatInteger(longestPattern)} bytes`);
      if (/^\?+$/.test(digits)) return refused('The pattern matches everything');
      value = digits.replace(/..(?=.)/g, '$& ');
      break;
    }
    case 'text': {
      const bytes = textBytes(value, options.encoding);
      if (bytes === undefined) return refused('A character has no byte in this encoding');
      if (bytes > longestPattern) return refused(`At most ${formatInteger(longestPattern)} bytes`);
      break;
    }
    case 'number':
      value = value.trim().replace(/[\s_\u202f]/g, '');
      if (!/^-?(?:0x[0-9a-f]+|\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)$/i.test(value))
        return refused('A number, decimal or 0x hex');
      break;
    case 'regex':
      if (new TextEncoder().encode(value).length > longestPattern) {
        return refused(`At most ${formatInteger(longestPattern)} bytes`);
      }
  }
  // Lone surrogates are no text: what is sent would be another character.
  if (/\p{Surrogate}/u.test(value)) return refused('A character is broken');
  return { ok: true, query: { ...options, mode: chosen, value, ignoreCase } };
}

/** Bytes of a text in an encoding; undefined where that has no byte for a character. */
function textBytes(value: string, encoding: SearchEncoding): number | undefined {
  switch (encoding) {
    case 'utf-16le':
    case 'utf-16be':
      return value.length * 2;
    default:
      return encodeText(encoding, value)?.length;
  }
}

/** How long every match is; undefined where they differ. */
export function matchLength(query: SearchQuery): number | undefined {
  switch (query.mode) {
    case 'hex':
      return hexDigits(query.value).length / 2;
    case 'text':
      return textBytes(query.value, query.encoding);
    case 'number':
      return Number(query.type.slice(1)) / 8;
    case 'regex':
      return undefined;
  }
}

export interface SearchWindow {
  readonly offset: number;
  readonly length: number;
  readonly limit: number;
  readonly backward?: boolean;
}

/** The request for the matches that lie in a window of a file. */
export function searchAddress(path: string, query: SearchQuery, window: SearchWindow): string {
  const fields: string[] = [];
  const add = (name: string, value: string | number): void =>
    void fields.push(`${name}=${encodeURIComponent(String(value))}`);
  if (query.mode === 'text' && query.encoding === 'ebcdic') {
    const bytes = encodeText('ebcdic', query.value) ?? new Uint8Array();
    add('hex', Array.from(bytes, (byte) => hexPairs[byte]!).join(''));
  } else {
    add(query.mode, query.value);
    if (query.mode === 'text') add('encoding', query.encoding);
    if ((query.mode === 'text' || query.mode === 'regex') && query.ignoreCase) add('case', 'insensitive');
    if (query.mode === 'number') {
      add('type', query.type);
      add('endian', query.order);
    }
  }
  add('offset', window.offset);
  add('len', window.length);
  add('limit', window.limit);
  if (window.backward) add('direction', 'backward');
  return `/search?file=${path}&${fields.join('&')}`;
}

const longestQuoted = 40;
const regexRefusal = 'The regular expression cannot be searched for: ';

/** Why the server does not search for something, of which it says `reason`: what it is, what is wrong with it, what would do. */
export function describeRefusal({ mode, value }: SearchQuery, reason: string): string {
  const quoted = `“${value.length > longestQuoted ? `${value.slice(0, longestQuoted)}…` : value}”`;
  if (mode !== 'regex') return `The server does not search for ${quoted}: ${reason}`;
  const fault = reason.startsWith(regexRefusal) ? reason.slice(regexRefusal.length) : reason;
  return `${quoted} is no expression that can be searched for: ${fault.replace(/\.?$/, '.')} Put a backslash before a sign that is meant as itself.`;
}

/**
 * A query as one field of an address: `text:needle`, `text,i,utf-16le:needle`, `hex:7f 45 ?? 46`, `number,u32,big:42`,
 * `regex,i:a.*b`. What is as it usually is, is left out.
 */
export function formatQuery(query: SearchQuery): string {
  const words: string[] = [query.mode];
  if ((query.mode === 'text' || query.mode === 'regex') && query.ignoreCase) words.push('i');
  if (query.mode === 'text' && query.encoding !== 'utf-8') words.push(query.encoding);
  if (query.mode === 'number') words.push(query.type, query.order);
  return `${words.join(',')}:${query.value}`;
}

/** Back from formatQuery(); undefined where it is none that this viewer would send. */
export function parseQuery(text: string): SearchQuery | undefined {
  const colon = text.indexOf(':');
  const [mode, ...words] = text.slice(0, Math.max(0, colon)).split(',');
  const known = searchModes.find((name) => name === mode);
  if (!known) return undefined;
  const options: SearchOptions = {
    ignoreCase: words.includes('i'),
    encoding: searchEncodings.find(({ name }) => words.includes(name))?.name ?? 'utf-8',
    type: numberTypes.find((name) => words.includes(name)) ?? 'u32',
    order: words.includes('big') ? 'big' : 'little',
  };
  const result = readQuery(text.slice(colon + 1), known, options);
  return result.ok ? result.query : undefined;
}
