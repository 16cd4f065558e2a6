import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressOfPath,
  baseName,
  canonicalPath,
  displayPath,
  parents,
  pathOfAddress,
  resolveLink,
} from '../src/core/paths';

describe('paths', () => {
  it('have one spelling', () => {
    expect(canonicalPath('a b+c&d#e?f%41/é')).toBe('a%20b%2Bc%26d%23e%3Ff' + 'A/%C3%A9');
    expect(canonicalPath('100%')).toBe('100%25');
    expect(canonicalPath('%ff%FE')).toBe('%FF%FE');
    expect(canonicalPath('~-._')).toBe('~-._');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const once = canonicalPath(text);
        expect(canonicalPath(once)).toBe(once);
        expect(once).toMatch(/^[A-Za-z0-9\-._~/%]*$/);
      }),
    );
  });

  it('keep names that are not UTF-8 apart though they look alike', () => {
    expect(displayPath('%FF')).toBe('\u{fffd}');
    expect(displayPath('%FE')).toBe('\u{fffd}');
    expect(canonicalPath('%FF')).not.toBe(canonicalPath('%FE'));
    expect(displayPath('a%0Ab%E2%80%AEc')).toBe('a\u{fffd}b\u{fffd}c');
  });

  it('lead from addresses to files and back', () => {
    expect(pathOfAddress('/')).toBe('');
    expect(pathOfAddress('/view/a/b.img')).toBe('a/b.img');
    expect(pathOfAddress('/view/a%20b/')).toBe('a%20b/');
    expect(addressOfPath('')).toBe('/');
    expect(addressOfPath('a%20b/')).toBe('/view/a%20b/');
    expect(resolveLink('dir/', 'x%3Ay')).toBe('dir/x%3Ay');
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9/]{1,20}$/), (path) => {
        expect(pathOfAddress(addressOfPath(path))).toBe(path);
      }),
    );
  });

  it('name their parents', () => {
    expect(parents('a/b%20c/d')).toEqual([
      { name: 'a', path: 'a/' },
      { name: 'b c', path: 'a/b%20c/' },
    ]);
    expect(parents('a/')).toEqual([]);
    expect(parents('')).toEqual([]);
    expect(baseName('a/b%20c/')).toBe('b c');
    expect(baseName('a')).toBe('a');
  });
});
