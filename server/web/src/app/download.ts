import type { Version } from '../core/api';
import { baseName } from '../core/paths';
import type { Span } from '../core/view_link';

/** A link to the bytes of a span as a file: the daemon streams it to the disk, nothing passes through the page. */
export function selectionDownload(version: Version, { offset, length }: Span): { href: string; name: string } {
  return {
    href: `/bytes?file=${version.path}&offset=${offset}&len=${length}&encoding=raw&download=1`,
    name: `${baseName(version.path)}-0x${offset.toString(16)}-${length}.bin`,
  };
}
