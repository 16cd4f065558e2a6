/** Numbers, sizes and times as text. */

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Three significant digits in binary units; exact below 1 KiB. */
export function formatSize(bytes: number): string {
  if (bytes === 1) return '1 byte';
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  if (unit === 0) return `${bytes} bytes`;
  // Never rounded up to the size itself or beyond: 1023.99 KiB stays below 1 MiB.
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  const scale = 10 ** digits;
  const text = (Math.floor(value * scale) / scale).toFixed(digits);
  return `${text.includes('.') ? text.replace(/\.?0+$/, '') : text} ${units[unit]!}`;
}

/** Digits in groups of three, parted by a narrow no-break space. */
export function formatInteger(value: number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

export function formatCount(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${formatInteger(bytes)} bytes`;
}

/** A byte's two hex digits. */
export const hexPairs: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function formatHex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Hex digits of the largest address in a file of `size` bytes: an even number, at least 8. */
export function addressDigits(size: number): number {
  const digits = Math.max(0, size - 1).toString(16).length;
  return Math.max(8, digits + (digits % 2));
}

export function formatAddress(offset: number, digits: number): string {
  return offset.toString(16).padStart(digits, '0');
}

/** How far into the file, with as many decimals as tell something. */
export function formatPercent(offset: number, size: number): string {
  if (size <= 1 || offset <= 0) return '0 %';
  const last = size - 1;
  if (offset >= last) return '100 %';
  return `${Math.min(99.99, (offset / last) * 100).toFixed(2)} %`;
}

const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** An RFC 3339 time in the reader's own zone and language; what is not a time comes back as it is. */
export function formatTime(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : dateFormat.format(time);
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}/s`;
}

/** A span of time in words, rounded to what a waiting person needs. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown';
  if (seconds < 1.5) return '1 s';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
