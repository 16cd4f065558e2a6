/** Checksums that the daemon computes, and how one that was written elsewhere is read. */

import { hexPairs } from './format';

export const digestAlgorithms = [
  { name: 'sha-256', label: 'SHA-256', digits: 64 },
  { name: 'sha-512', label: 'SHA-512', digits: 128 },
  { name: 'blake2b-512', label: 'BLAKE2b', digits: 128 },
  { name: 'sha-1', label: 'SHA-1', digits: 40 },
  { name: 'md5', label: 'MD5', digits: 32 },
  { name: 'crc32c', label: 'CRC32C', digits: 8 },
  { name: 'xxh3', label: 'XXH3', digits: 16 },
] as const;

export type DigestAlgorithm = (typeof digestAlgorithms)[number]['name'];

export function isDigestAlgorithm(name: string | undefined): name is DigestAlgorithm {
  return digestAlgorithms.some((algorithm) => algorithm.name === name);
}

function base64ToHex(text: string): string | undefined {
  try {
    return Array.from(atob(text), (char) => hexPairs[char.charCodeAt(0)]!).join('');
  } catch {
    return undefined;
  }
}

/**
 * The hex digits of a digest as people have it: `sha256:…`, a line of sha256sum (`… *name`), BSD's `SHA256 (name) = …`, pairs
 * with colons or spaces, base64 as in Content-Digest (`sha-256=:…:`). Undefined if it is none of `digits`.
 */
export function parseDigest(text: string, digits: number): string | undefined {
  const trimmed = text.trim();
  const pairs = trimmed.replace(/[\s:-]/g, '').toLowerCase();
  if (pairs.length === digits && /^[0-9a-f]+$/.test(pairs)) return pairs;
  const bounded = new RegExp(`(?:^|[^0-9a-z])(?:0x)?([0-9a-f]{${digits}})(?![0-9a-z])`, 'i').exec(trimmed);
  if (bounded) return bounded[1]!.toLowerCase();
  for (const [, candidate] of trimmed.matchAll(/(?:^|[:=\s-])([0-9a-z+/]{6,}={1,2})(?=$|[:\s])/gi)) {
    const hex = base64ToHex(candidate!);
    if (hex?.length === digits) return hex;
  }
  return undefined;
}

export type Comparison =
  | { readonly kind: 'same' | 'different' }
  /** Not of this algorithm's length; `fits` names those that it could be of. */
  | { readonly kind: 'other'; readonly fits: readonly string[] };

export function compareDigest(digest: string, pasted: string): Comparison {
  const parsed = parseDigest(pasted, digest.length);
  if (parsed !== undefined) return { kind: parsed === digest ? 'same' : 'different' };
  const fits = digestAlgorithms.filter(({ digits }) => parseDigest(pasted, digits) !== undefined);
  return { kind: 'other', fits: fits.map(({ label }) => label) };
}
