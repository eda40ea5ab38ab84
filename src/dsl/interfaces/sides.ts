import type { PlanInterfaceOperation, PlanInterfaces, PlanOperation, PlanOperations } from '../../domain/plan.ts';
import type { Path } from '../errors.ts';
import type { Problems } from '../problems.ts';
import { KnownMistake } from '../problems.ts';
import { setOwn } from '../yaml/marks.ts';
import { own } from '../types/values.ts';
import { findImplementation, planOperation } from './implementation.ts';
import type { ImplementationContext, ImplementationUse } from './implementation.ts';
import { overrideOperation, withDefaultInputs } from './merge.ts';
import type { TypeInterfaces, TypeOperation, ValueInterfaces } from './merge.ts';

/** Interfaces of one node, or of one side of one relationship, and what they come down to. */
export interface Side {
  readonly interfaces: PlanInterfaces;
  readonly operations: PlanOperations;
}

/** Where a side stands, for messages. */
export interface SideUse {
  readonly code: 10 | 19;
  /** E.g. `in node 'n' of type 't'`. */
  readonly where: string;
  readonly path: Path;
}

type Resolved = Readonly<Record<string, { readonly written: PlanInterfaceOperation; readonly planned: PlanOperation }>>;

/**
 * Works out interfaces of templates over those of their types. What a type says by itself is worked out once and
 * shared by all its templates, so that a template costs no more than what it writes itself.
 */
export class SideResolver {
  private readonly context: ImplementationContext;
  private readonly defaults = new WeakMap<object, Resolved>();
  private readonly plain = new WeakMap<TypeInterfaces, Side>();

  /** Operations of types whose implementation was not found: the mistake is told once. */
  private readonly wrong = new WeakSet<TypeOperation>();
  private readonly problems: Problems;

  /** @param problems takes every operation that is wrong */
  constructor(context: ImplementationContext, problems: Problems) {
    this.context = context;
    this.problems = problems;
  }

  /**
   * Works out one side. Inputs without value (107) and implementations that cannot be found are problems; their
   * operations are left out.
   */
  resolve(type: TypeInterfaces, template: ValueInterfaces, use: SideUse): Side {
    const isPlain = Object.keys(template).length === 0;
    const known = isPlain ? this.plain.get(type) : undefined;
    if (known) {
      return known;
    }
    const resolved: Record<string, Resolved> = {};
    for (const name of new Set([...Object.keys(type), ...Object.keys(template)])) {
      setOwn(resolved, name, this.resolveInterface(name, own(type, name) ?? {}, own(template, name) ?? {}, use));
    }
    const side = flatten(resolved);
    if (isPlain && Object.keys(resolved).every((name) => isWhole(resolved[name], own(type, name)))) {
      this.plain.set(type, side);
    }
    return side;
  }

  /** Checks that every operation of a type can be found, whether or not templates use it. */
  check(type: TypeInterfaces, use: SideUse): void {
    for (const [interfaceName, operations] of Object.entries(type)) {
      for (const [name, operation] of Object.entries(operations)) {
        if (operation.implementation !== '') {
          const path = [...use.path, interfaceName, name];
          const at: ImplementationUse = { kind: 'operation', name, code: use.code, where: use.where, path };
          this.problems.attempt(path, () =>
            this.once(operation, () =>
              findImplementation(operation.implementation, operation.inputs, at, this.context),
            ),
          );
        }
      }
    }
  }

  private resolveInterface(
    name: string,
    type: TypeInterfaces[string],
    template: ValueInterfaces[string],
    use: SideUse,
  ): Resolved {
    if (Object.keys(template).length === 0) {
      const known = this.defaults.get(type);
      const resolved = known ?? this.resolveOperations(name, type, template, use);
      if (isWhole(resolved, type)) {
        this.defaults.set(type, resolved);
      }
      return resolved;
    }
    return this.resolveOperations(name, type, template, use);
  }

  private resolveOperations(
    interfaceName: string,
    type: TypeInterfaces[string],
    template: ValueInterfaces[string],
    use: SideUse,
  ): Resolved {
    const resolved: Record<string, Resolved[string]> = {};
    for (const name of new Set([...Object.keys(type), ...Object.keys(template)])) {
      const path = [...use.path, interfaceName, name];
      const typed = own(type, name);
      const given = own(template, name);
      const implementationUse: ImplementationUse = {
        kind: 'operation',
        name,
        code: use.code,
        where: `In interface '${interfaceName}' ${use.where}`,
        path,
      };
      this.problems.attempt(path, () => {
        const written = typed
          ? given
            ? overrideOperation(typed, given, path)
            : withDefaultInputs(typed, path)
          : (given as PlanInterfaceOperation);
        const declared = typed?.implementation === written.implementation ? typed.inputs : {};
        const plan = () => planOperation(written, implementationUse, this.context, declared);
        const planned = typed && !given ? this.once(typed, plan) : plan();
        setOwn(resolved, name, { written, planned });
      });
    }
    return resolved;
  }

  /** Looks an operation of a type up; when that failed before, it fails as a mistake that is known. */
  private once<T>(operation: TypeOperation, lookUp: () => T): T {
    if (this.wrong.has(operation)) {
      throw new KnownMistake();
    }
    try {
      return lookUp();
    } catch (error) {
      this.wrong.add(operation);
      throw error;
    }
  }
}

/** Whether nothing of a type's interface was left out. */
function isWhole(resolved: Resolved | undefined, type: TypeInterfaces[string] | undefined): boolean {
  return Object.keys(type ?? {}).length === Object.keys(resolved ?? {}).length;
}

/** Operations under their full names, and under their short names where only one interface has them. */
function flatten(resolved: Record<string, Resolved>): Side {
  const interfaces: Record<string, Record<string, PlanInterfaceOperation>> = {};
  const operations: PlanOperations = {};
  const ambiguous = new Set<string>();
  for (const [interfaceName, content] of Object.entries(resolved)) {
    const written: Record<string, PlanInterfaceOperation> = {};
    for (const [name, operation] of Object.entries(content)) {
      setOwn(written, name, operation.written);
      if (Object.hasOwn(operations, name)) {
        ambiguous.add(name);
      }
      setOwn(operations, name, operation.planned);
      setOwn(operations, `${interfaceName}.${name}`, operation.planned);
    }
    setOwn(interfaces, interfaceName, written);
  }
  for (const name of ambiguous) {
    delete operations[name];
  }
  return { interfaces, operations };
}
