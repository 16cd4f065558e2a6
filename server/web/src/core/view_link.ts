/**
 * The view as the fragment of its address: `/view/disk.img#offset=0x1f400&select=0x1f400+64&columns=16&encoding=ascii`. A
 * fragment is never sent to the server. What is not understood is passed over, what is out of range is brought back in.
 */

import type { ByteOrder } from './inspector';
import { clamp, fewestColumns, mostColumns } from './rows';
import { isTextEncoding, type TextEncoding } from './text_encodings';

export const groupSizes = [1, 2, 4, 8, 16] as const;
export type GroupSize = (typeof groupSizes)[number];

export interface Span {
  readonly offset: number;
  readonly length: number;
}

export interface ViewLink {
  readonly offset?: number;
  /** The first offset of the first visible row. */
  readonly top?: number;
  readonly select?: Span;
  readonly columns?: number;
  readonly group?: GroupSize;
  readonly encoding?: TextEncoding;
  readonly order?: ByteOrder;
  /** What is searched for, as search_query.ts writes it. */
  readonly search?: string;
  readonly holes?: 'folded';
  /** Offsets in those holes that are not folded. Without it, the hole that `offset` is in is not. */
  readonly unfolded?: readonly number[];
}

/** A pattern of the longest kind as text; an address should not be of any length. */
const longestSearch = 4096;
const mostUnfolded = 64;

/** A whole number, decimal or 0x hex; the largest that a Number holds exactly stands for all beyond it. */
function parsePlace(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) return undefined;
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

/** The same, but none that a Number does not hold. */
export function parseOffset(text: string | null | undefined): number | undefined {
  return Number.isSafeInteger(Number(text)) ? parsePlace(text) : undefined;
}

function parseSpan(text: string | null): Span | undefined {
  // URLSearchParams reads an unescaped plus as a space.
  const parts = text?.split(/[+ ]/) ?? [];
  const offset = parsePlace(parts[0]);
  const length = parsePlace(parts[1]);
  if (parts.length !== 2 || offset === undefined || length === undefined || length === 0) return undefined;
  return { offset, length: Math.min(length, Number.MAX_SAFE_INTEGER - offset + 1) };
}

export function parseViewLink(fragment: string): ViewLink {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  const offset = parsePlace(fields.get('offset'));
  const top = parsePlace(fields.get('top'));
  const select = parseSpan(fields.get('select'));
  const columns = parseOffset(fields.get('columns'));
  const group = groupSizes.find((size) => size === parseOffset(fields.get('group')));
  const encoding = fields.get('encoding');
  const order = fields.get('order');
  const search = fields.get('search') ?? '';
  const unfolded = fields.get('unfolded')?.split(',', mostUnfolded).map(parseOffset);
  return {
    ...(offset !== undefined && { offset }),
    ...(top !== undefined && { top }),
    ...(select && { select }),
    ...(columns !== undefined && { columns: clamp(columns, fewestColumns, mostColumns) }),
    ...(group && { group }),
    ...(encoding !== null && isTextEncoding(encoding) && { encoding }),
    ...((order === 'little' || order === 'big') && { order }),
    ...(search !== '' && search.length <= longestSearch && { search }),
    ...(fields.get('holes') === 'folded' && { holes: 'folded' as const }),
    ...(unfolded && { unfolded: unfolded.filter((offset) => offset !== undefined) }),
  };
}

function hex(offset: number): string {
  return `0x${offset.toString(16)}`;
}

const unescapeByte = (escape: string): string => String.fromCharCode(parseInt(escape.slice(1), 16));

/** The fragment with its `#`, fields in a fixed order. */
export function formatViewLink(link: ViewLink): string {
  const fields: string[] = [];
  if (link.offset !== undefined) fields.push(`offset=${hex(link.offset)}`);
  if (link.top !== undefined) fields.push(`top=${hex(link.top)}`);
  if (link.select) fields.push(`select=${hex(link.select.offset)}+${link.select.length}`);
  if (link.columns !== undefined) fields.push(`columns=${link.columns}`);
  if (link.group !== undefined) fields.push(`group=${link.group}`);
  if (link.encoding !== undefined) fields.push(`encoding=${link.encoding}`);
  if (link.order !== undefined) fields.push(`order=${link.order}`);
  if (link.holes !== undefined) fields.push(`holes=${link.holes}`);
  if (link.unfolded) fields.push(`unfolded=${link.unfolded.slice(-mostUnfolded).map(hex).join() || 'none'}`);
  // Legible as far as it may be: these need no escape in a fragment.
  if (link.search !== undefined)
    fields.push(`search=${encodeURIComponent(link.search).replace(/%(?:3A|2C|2F|3F)/g, unescapeByte)}`);
  return fields.length === 0 ? '' : `#${fields.join('&')}`;
}
