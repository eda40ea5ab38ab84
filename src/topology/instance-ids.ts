import type { RandomSource } from '../domain/clock.ts';
import { DslError } from '../dsl/errors.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const SUFFIX_LENGTH = 6;
const MAXIMUM_PER_NODE = ALPHABET.length ** SUFFIX_LENGTH;

/** Names new node instances `<node>_<six characters>`; no two of a node are alike. */
export class InstanceIds {
  readonly #random: RandomSource;
  readonly #taken = new Map<string, Set<string>>();

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** Marks an id as taken. */
  reserve(node: string, id: string): void {
    this.#idsOf(node).add(id);
  }

  /** @throws DslError RuntimeError when a node has no id left */
  next(node: string): string {
    const taken = this.#idsOf(node);
    if (taken.size >= MAXIMUM_PER_NODE) {
      throw new DslError('RuntimeError', `Node '${node}' has ${String(taken.size)} instances; there are no ids left`);
    }
    let id = `${node}_${this.#suffix()}`;
    while (taken.has(id)) {
      id = `${node}_${this.#suffix()}`;
    }
    taken.add(id);
    return id;
  }

  #suffix(): string {
    let suffix = '';
    for (let position = 0; position < SUFFIX_LENGTH; position += 1) {
      suffix += ALPHABET.charAt(this.#random(ALPHABET.length));
    }
    return suffix;
  }

  #idsOf(node: string): Set<string> {
    let taken = this.#taken.get(node);
    if (taken === undefined) {
      taken = new Set();
      this.#taken.set(node, taken);
    }
    return taken;
  }
}
