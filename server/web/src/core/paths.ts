/**
 * File paths as the daemon spells them: percent-encoded, a slash between segments. A name need not be UTF-8, so the encoded
 * form is the identity of a file and the decoded one is for people only.
 */

const unreserved = /[A-Za-z0-9\-._~/]/;

/** Bytes of a percent-encoded path; text that was not encoded counts as UTF-8, a stray % as itself. */
function decodeBytes(encoded: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const out: number[] = [];
  for (let i = 0; i < encoded.length;) {
    const hex = encoded.charAt(i) === '%' ? encoded.slice(i + 1, i + 3) : '';
    if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
      out.push(parseInt(hex, 16));
      i += 3;
    } else {
      const character = String.fromCodePoint(encoded.codePointAt(i)!);
      out.push(...text.encode(character));
      i += character.length;
    }
  }
  return Uint8Array.from(out);
}

function encodeBytes(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    out += unreserved.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** One spelling for each path: only RFC 3986's unreserved characters and slashes stay bare. */
export function canonicalPath(encoded: string): string {
  return encodeBytes(decodeBytes(encoded));
}

/** For people: UTF-8, what is not shown as U+FFFD, controls and direction marks made visible. */
export function displayPath(encoded: string): string {
  return new TextDecoder('utf-8').decode(decodeBytes(encoded)).replace(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}');
}

/** The path that a link in the listing of `directory` leads to: relative, as in `<a href>`. */
export function resolveLink(directory: string, href: string): string {
  return canonicalPath(directory + href);
}

export function baseName(encoded: string): string {
  const bare = encoded.endsWith('/') ? encoded.slice(0, -1) : encoded;
  return displayPath(bare.slice(bare.lastIndexOf('/') + 1));
}

export interface Crumb {
  readonly name: string;
  /** Encoded, a directory's with its trailing slash; empty for the top. */
  readonly path: string;
}

/** The directories that lead to `encoded`, outermost first, without the last segment. */
export function parents(encoded: string): Crumb[] {
  const segments = encoded.split('/').filter((segment) => segment !== '');
  return segments.slice(0, -1).map((segment, index) => ({
    name: displayPath(segment),
    path: `${segments.slice(0, index + 1).join('/')}/`,
  }));
}

const viewPrefix = '/view/';

/** The path of an address of this program: '' is the top directory, a directory ends in a slash. */
export function pathOfAddress(pathname: string): string {
  return pathname.startsWith(viewPrefix) ? canonicalPath(pathname.slice(viewPrefix.length)) : '';
}

export function addressOfPath(encoded: string): string {
  return encoded === '' ? '/' : viewPrefix + encoded;
}
