/** Bookmarks of a file, kept in this browser's local storage under the file's path. */

export interface Bookmark {
  readonly offset: number;
  readonly length: number;
  readonly name: string;
}

export type BookmarkStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export const mostBookmarks = 500;
export const longestName = 120;

function key(path: string): string {
  return `ranged.bookmarks:${path}`;
}

function isBookmark(item: unknown): item is Bookmark {
  const { offset, length, name } = (item ?? {}) as Partial<Record<keyof Bookmark, unknown>>;
  return (
    Number.isSafeInteger(offset) &&
    (offset as number) >= 0 &&
    Number.isSafeInteger(length) &&
    (length as number) >= 1 &&
    typeof name === 'string'
  );
}

/** What is stored, sorted by offset; nothing where storage is refused or holds something else. */
export function loadBookmarks(storage: BookmarkStorage | undefined, path: string): Bookmark[] {
  try {
    const stored: unknown = JSON.parse(storage?.getItem(key(path)) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isBookmark).slice(0, mostBookmarks).sort(byOffset) : [];
  } catch {
    return [];
  }
}

/** False where storage is refused or full: the bookmarks then last as long as the page. */
export function saveBookmarks(
  storage: BookmarkStorage | undefined,
  path: string,
  bookmarks: readonly Bookmark[],
): boolean {
  try {
    if (!storage) return false;
    if (bookmarks.length === 0) storage.removeItem(key(path));
    else storage.setItem(key(path), JSON.stringify(bookmarks));
    return true;
  } catch {
    return false;
  }
}

export function byOffset(a: Bookmark, b: Bookmark): number {
  return a.offset - b.offset || a.length - b.length;
}

/** Adds or renames: one bookmark for each span. */
export function withBookmark(bookmarks: readonly Bookmark[], bookmark: Bookmark): Bookmark[] {
  const named = { ...bookmark, name: bookmark.name.trim().slice(0, longestName) };
  return [...withoutBookmark(bookmarks, bookmark), named].sort(byOffset).slice(0, mostBookmarks);
}

export function withoutBookmark(bookmarks: readonly Bookmark[], { offset, length }: Bookmark): Bookmark[] {
  return bookmarks.filter((other) => other.offset !== offset || other.length !== length);
}
