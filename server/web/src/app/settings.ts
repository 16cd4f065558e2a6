/** What the reader chose, kept in local storage where the browser allows it. */

export function storage(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}

export function readSetting(name: string): string | undefined {
  try {
    return storage()?.getItem(`ranged.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function writeSetting(name: string, value: string): void {
  try {
    storage()?.setItem(`ranged.${name}`, value);
  } catch {
    // Full or refused: the choice lasts as long as the page.
  }
}
