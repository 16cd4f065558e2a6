import { describe, expect, it } from 'vitest';
import {
  type BookmarkStorage,
  loadBookmarks,
  mostBookmarks,
  saveBookmarks,
  withBookmark,
  withoutBookmark,
} from '../src/core/bookmarks';

function memory(): BookmarkStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

const refusing: BookmarkStorage = {
  getItem: () => {
    throw new Error('refused');
  },
  setItem: () => {
    throw new Error('full');
  },
  removeItem: () => undefined,
};

describe('bookmarks', () => {
  it('are kept for each file, in order of their offsets', () => {
    const storage = memory();
    const two = withBookmark(withBookmark([], { offset: 2 ** 40, length: 4, name: ' far ' }), {
      offset: 16,
      length: 1,
      name: 'near',
    });
    expect(saveBookmarks(storage, 'a.img', two)).toBe(true);
    expect(loadBookmarks(storage, 'a.img')).toEqual([
      { offset: 16, length: 1, name: 'near' },
      { offset: 2 ** 40, length: 4, name: 'far' },
    ]);
    expect(loadBookmarks(storage, 'b.img')).toEqual([]);
    saveBookmarks(storage, 'a.img', []);
    expect(storage.getItem('ranged.bookmarks:a.img')).toBeNull();
  });

  it('are renamed by adding them again', () => {
    const once = withBookmark([], { offset: 16, length: 1, name: 'one' });
    const twice = withBookmark(once, { offset: 16, length: 1, name: 'two' });
    expect(twice).toEqual([{ offset: 16, length: 1, name: 'two' }]);
    expect(withBookmark(twice, { offset: 16, length: 2, name: 'longer' })).toHaveLength(2);
    expect(withoutBookmark(twice, twice[0]!)).toEqual([]);
  });

  it('survive a storage that holds something else, refuses or is full', () => {
    const storage = memory();
    for (const broken of ['{', '{}', '[1, null, {"offset": -1}, {"offset": 1.5, "length": 1, "name": ""}]', 'null']) {
      storage.setItem('ranged.bookmarks:x', broken);
      expect(loadBookmarks(storage, 'x')).toEqual([]);
    }
    expect(loadBookmarks(refusing, 'x')).toEqual([]);
    expect(saveBookmarks(refusing, 'x', [{ offset: 1, length: 1, name: '' }])).toBe(false);
    expect(loadBookmarks(undefined, 'x')).toEqual([]);
    expect(saveBookmarks(undefined, 'x', [])).toBe(false);
  });

  it('are limited in number', () => {
    let all: ReturnType<typeof withBookmark> = [];
    for (let offset = 0; offset < mostBookmarks + 5; ++offset) all = withBookmark(all, { offset, length: 1, name: '' });
    expect(all).toHaveLength(mostBookmarks);
  });
});
