import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeRefusal,
  detectMode,
  formatQuery,
  matchLength,
  numberTypes,
  parseQuery,
  readQuery,
  searchAddress,
  searchEncodings,
  searchModes,
  type SearchMode,
  type SearchOptions,
  type SearchQuery,
} from '../src/core/search_query';

const options: SearchOptions = { ignoreCase: false, encoding: 'utf-8', type: 'u32', order: 'little' };

function query(text: string, mode: SearchMode | 'auto' = 'auto', more: Partial<SearchOptions> = {}): SearchQuery {
  const result = readQuery(text, mode, { ...options, ...more });
  if (!result.ok) throw new Error(result.message);
  return result.query;
}

function refusal(text: string, mode: SearchMode | 'auto' = 'auto', more: Partial<SearchOptions> = {}): string {
  const result = readQuery(text, mode, { ...options, ...more });
  return result.ok ? '' : result.message;
}

describe('what a text means', () => {
  it('is guessed as people write it', () => {
    const expected: [string, SearchMode][] = [
      ['needle', 'text'],
      ['Hello, world', 'text'],
      ['7f 45 4c 46', 'hex'],
      ['7f454C46', 'hex'],
      ['7f ?? 4? ?6', 'hex'],
      ['0x7f, 0x45', 'hex'],
      ['de:ad:be:ef', 'hex'],
      ['"beef"', 'text'],
      ['beef', 'hex'],
      ['bee', 'text'],
      ['/a.c/', 'regex'],
      ['/a.c/i', 'regex'],
      ['/usr/bin', 'text'],
      ['//', 'text'],
    ];
    for (const [text, mode] of expected) expect(detectMode(text), text).toBe(mode);
  });

  it('loses its quotes and slashes only where it is guessed', () => {
    expect(query('"beef"').value).toBe('beef');
    expect(query(' needle ').value).toBe('needle');
    expect(query('/a.c/i')).toMatchObject({ mode: 'regex', value: 'a.c', ignoreCase: true });
    expect(query('/a.c/')).toMatchObject({ mode: 'regex', value: 'a.c', ignoreCase: false });
    expect(query('"beef"', 'text').value).toBe('"beef"');
    expect(query(' needle ', 'text').value).toBe(' needle ');
    expect(query(' ', 'text').value).toBe(' ');
    expect(query('/a/', 'regex').value).toBe('/a/');
    expect(query('0x7F,45 ??', 'hex').value).toBe('7f 45 ??');
    expect(query(' 1_000 ', 'number').value).toBe('1000');
  });

  it('is refused in words before it is sent', () => {
    expect(refusal('')).toBe('Type what to look for');
    expect(refusal('  ')).toBe('Type what to look for');
    expect(refusal('', 'regex')).toBe('Type what to look for');
    expect(refusal('0x', 'hex')).toBe('Type what to look for');
    expect(refusal('?? ??')).toBe('The pattern matches everything');
    expect(refusal('7f4', 'hex')).toBe('A digit is missing: two make a byte');
    expect(refusal('7g', 'hex')).toBe('Hex digits, ? for any digit');
    expect(refusal('€', 'text', { encoding: 'latin-1' })).toBe('A character has no byte in this encoding');
    expect(refusal('one', 'number')).toBe('A number, decimal or 0x hex');
    expect(refusal('x'.repeat(513), 'text', { encoding: 'utf-16le' })).toMatch(/^At most/);
    expect(refusal('é'.repeat(513), 'regex')).toMatch(/^At most/);
    expect(refusal('00'.repeat(1025))).toMatch(/^At most/);
    expect(refusal('\ud800')).toBe('A character is broken');
    for (const number of ['-1', '0xff', '1.5', '-1e-3', '.5']) expect(refusal(number, 'number')).toBe('');
  });
});

describe('a query', () => {
  it('tells how long its matches are', () => {
    expect(matchLength(query('é€'))).toBe(5);
    expect(matchLength(query('é€😀', 'text', { encoding: 'utf-16le' }))).toBe(8);
    expect(matchLength(query('é', 'text', { encoding: 'latin-1' }))).toBe(1);
    expect(matchLength(query('7f ?? 4?'))).toBe(3);
    for (const type of numberTypes)
      expect(matchLength(query('1', 'number', { type })) ?? 0).toBe(Number(type.slice(1)) / 8);
    expect(matchLength(query('/a+/'))).toBeUndefined();
  });

  it('asks for what it means, and for no more', () => {
    const window = { offset: 2 ** 40, length: 100, limit: 7 };
    const address = (one: SearchQuery): URL => new URL(searchAddress('a%26b.bin', one, window), 'http://host');
    const fields = (one: SearchQuery): Record<string, string> => Object.fromEntries(address(one).searchParams);
    const common = { file: 'a&b.bin', offset: '1099511627776', len: '100', limit: '7' };
    expect(fields(query('a&b=c#d+e%'))).toEqual({ ...common, text: 'a&b=c#d+e%', encoding: 'utf-8' });
    expect(fields(query('x', 'text', { ignoreCase: true, encoding: 'utf-16be' }))).toEqual({
      ...common,
      text: 'x',
      encoding: 'utf-16be',
      case: 'insensitive',
    });
    expect(fields(query('7f ?? 4?'))).toEqual({ ...common, hex: '7f ?? 4?' });
    expect(fields(query('-1', 'number', { type: 'i16', order: 'big', ignoreCase: true }))).toEqual({
      ...common,
      number: '-1',
      type: 'i16',
      endian: 'big',
    });
    expect(fields(query('/a|b/i'))).toEqual({ ...common, regex: 'a|b', case: 'insensitive' });
    // The daemon knows no EBCDIC: it is asked for the bytes.
    expect(fields(query('AB', 'text', { encoding: 'ebcdic' }))).toEqual({ ...common, hex: 'c1c2' });
    expect(searchAddress('f', query('x'), { ...window, backward: true })).toMatch(/&direction=backward$/);
  });

  it('is written in an address and read from it', () => {
    expect(formatQuery(query('needle'))).toBe('text:needle');
    expect(formatQuery(query('7f 45'))).toBe('hex:7f 45');
    expect(formatQuery(query('42', 'number', { order: 'big' }))).toBe('number,u32,big:42');
    expect(formatQuery(query('/a.*b/i'))).toBe('regex,i:a.*b');
    const arbitrary = fc
      .record({
        text: fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
        mode: fc.constantFrom(...searchModes),
        ignoreCase: fc.boolean(),
        encoding: fc.constantFrom(...searchEncodings.map(({ name }) => name)),
        type: fc.constantFrom(...numberTypes),
        order: fc.constantFrom('little' as const, 'big' as const),
      })
      .map(({ text, mode, ...rest }) => readQuery(text, mode, rest))
      .filter((result) => result.ok)
      .map((result) => result.query);
    fc.assert(
      fc.property(arbitrary, (one) => {
        const again = parseQuery(formatQuery(one))!;
        expect(formatQuery(again)).toBe(formatQuery(one));
        const window = { offset: 0, length: 1, limit: 1 };
        expect(searchAddress('f', again, window)).toBe(searchAddress('f', one, window));
      }),
    );
  });

  it('that nobody wrote is passed over', () => {
    for (const text of ['', 'needle', 'text', 'text:', 'klingon:x', 'hex:zz', 'number,u32:x', ':x']) {
      expect(parseQuery(text), text).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => void parseQuery(text)));
  });
});

describe('what the server refuses', () => {
  it('is told in a sentence of ours, with the reason of what was to search for it', () => {
    const reason = 'The regular expression cannot be searched for: Missing close parenthesis at index 1.';
    expect(describeRefusal(query('/n(e/'), reason)).toBe(
      '“n(e” is no expression that can be searched for: Missing close parenthesis at index 1. ' +
        'Put a backslash before a sign that is meant as itself.',
    );
    expect(describeRefusal(query('/n(e/'), 'It is too long')).toContain('searched for: It is too long. Put a');
    expect(describeRefusal(query('needle', 'text'), 'There is no such encoding.')).toBe(
      'The server does not search for “needle”: There is no such encoding.',
    );
    expect(describeRefusal(query('x'.repeat(500), 'text'), 'No.')).toBe(
      `The server does not search for “${'x'.repeat(40)}…”: No.`,
    );
  });
});
