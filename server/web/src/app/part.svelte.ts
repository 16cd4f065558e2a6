/** A part of the viewer that is fetched when it is first wanted: what is needed to see the first bytes comes before it. */
export class Part<T> {
  /** Undefined until it is here. */
  value = $state.raw<T | undefined>();
  failed = $state(false);
  #coming: Promise<T | undefined> | undefined;

  constructor(private readonly fetch: () => Promise<T>) {}

  /** Undefined: it could not be fetched, as `failed` says from then on. Wanted again, it is asked for again. */
  get(): Promise<T | undefined> {
    this.#coming ??= this.#get();
    return this.#coming;
  }

  async #get(): Promise<T | undefined> {
    this.failed = false;
    try {
      this.value = await this.fetch();
    } catch {
      this.failed = true;
      this.#coming = undefined;
    }
    return this.value;
  }
}
