import { logicError } from '../errors.ts';
import type { Path } from '../errors.ts';

/**
 * Orders names so that each comes after those it depends on, otherwise keeping the given order. Dependencies on
 * unknown names are ignored. Linear in names and dependencies; no recursion.
 *
 * @param path where a name is written, for the error
 * @throws DslError 100 for names that depend on themselves
 */
export function orderByDependencies(
  names: Iterable<string>,
  dependenciesOf: (name: string) => Iterable<string>,
  path: (name: string) => Path,
): string[] {
  const order: string[] = [];
  const known = new Set(names);
  const state = new Map<string, 'open' | 'done'>();
  for (const start of known) {
    if (state.has(start)) {
      continue;
    }
    const stack = [{ name: start, waiting: dependenciesOf(start)[Symbol.iterator]() }];
    state.set(start, 'open');
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const next = top.waiting.next();
      if (next.done) {
        state.set(top.name, 'done');
        order.push(top.name);
        stack.pop();
      } else if (known.has(next.value) && state.get(next.value) !== 'done') {
        if (state.get(next.value) === 'open') {
          const loop = [...stack.slice(stack.findIndex(({ name }) => name === next.value)).map(({ name }) => name)];
          const text = [...loop, next.value].join(' --> ');
          throw logicError(100, `Parsing failed. Circular dependency detected: ${text}`, { path: path(top.name) });
        }
        state.set(next.value, 'open');
        stack.push({ name: next.value, waiting: dependenciesOf(next.value)[Symbol.iterator]() });
      }
    }
  }
  return order;
}
