/** What the map shows, in words: apart from it, as they are wanted when somebody asks and not for the first view. */

import { type ByteKind, byteKinds, type Region } from './byte_map';

export const kindLabels: Readonly<Record<ByteKind, string>> = {
  zero: 'Zero',
  printable: 'Text',
  control: 'Control',
  high: '0x80 and above',
  ones: '0xff',
};

const percent = (part: number): string => (part > 0 && part < 0.01 ? '< 1 %' : `${Math.round(part * 100)} %`);

/** A region in words: its classes, the most frequent first, and its entropy. */
export function describeRegion(region: Region): string {
  if (region.kind !== 'bytes') return region.kind === 'hole' ? 'Hole: nothing is stored' : 'Not looked at yet';
  const parts = byteKinds
    .map((kind, at) => ({ kind, share: region.shares[at]! }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share)
    .slice(0, 3)
    .map(({ kind, share }) => `${kindLabels[kind]} ${percent(share)}`);
  const how = region.partial ? 'partly a hole' : region.exact ? 'exact' : 'sampled';
  return `${parts.join(', ')}; entropy ${region.entropy.toFixed(1)} of 8 bits; ${how}`;
}
