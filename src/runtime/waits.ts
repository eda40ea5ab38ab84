/** The plugin behind the built-in types whose operations wait for executions of other deployments. */
export const waitingPlugin = 'cfy_extensions';

/**
 * Counts operations, or executions, of a process that do nothing but wait for something outside, such as an execution on
 * another deployment, so that others may run in their place meanwhile.
 */
export class Waits {
  #count = 0;
  #onChange: (count: number) => void = () => undefined;

  /** How many wait now. */
  get count(): number {
    return this.#count;
  }

  /** Tells one listener the number whenever it changes. */
  listen(onChange: (count: number) => void): void {
    this.#onChange = onChange;
  }

  /** Counts one as waiting while `work` is under way. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    const end = this.begin();
    try {
      return await work();
    } finally {
      end();
    }
  }

  /** Counts one more. @returns to be called once, when it waits no more */
  begin(): () => void {
    this.#change(1);
    return () => this.#change(-1);
  }

  #change(by: number): void {
    this.#count += by;
    this.#onChange(this.#count);
  }
}
