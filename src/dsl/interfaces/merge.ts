import type { Json, JsonObject, PlanInterfaceOperation, PropertySchema } from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import type { Path } from '../errors.ts';
import { isFunction } from '../functions/index.ts';
import { isDict } from '../schema/element.ts';
import { readInputs } from '../types/schemas.ts';
import type { Raw, SchemaContext } from '../types/schemas.ts';
import { defaultsOf, own } from '../types/values.ts';
import { setOwn } from '../yaml/marks.ts';

/** An operation of a type: its inputs are schemas, not values. */
export type TypeOperation = Omit<PlanInterfaceOperation, 'inputs'> & { inputs: Record<string, PropertySchema> };
export type Interfaces<Operation> = Readonly<Record<string, Readonly<Record<string, Operation>>>>;
export type TypeInterfaces = Interfaces<TypeOperation>;
export type ValueInterfaces = Interfaces<PlanInterfaceOperation>;

type RawInterfaces = Record<string, Record<string, string | Raw | null> | null> | null | undefined;

function operationOf<Inputs>(raw: string | Raw | null, inputs: Inputs): PlanInterfaceOperation & { inputs: Inputs } {
  const written = isDict(raw) ? raw : { implementation: raw };
  return {
    implementation: (written['implementation'] as string | null | undefined) ?? '',
    inputs: inputs as PlanInterfaceOperation['inputs'] & Inputs,
    executor: (written['executor'] as string | undefined) ?? null,
    max_retries: countOf(written['max_retries']),
    retry_interval: countOf(written['retry_interval']),
    timeout: countOf(written['timeout']),
    timeout_recoverable: (written['timeout_recoverable'] as boolean | undefined) ?? null,
  };
}

// Numbers may be written as booleans, which stay as they are.
function countOf(value: unknown): number | null {
  return (value as number | undefined) ?? null;
}

/** Reads the interfaces of a node type or of a side of a relationship type. */
export function readTypeInterfaces(raw: unknown, path: Path, context: SchemaContext): TypeInterfaces {
  return mapInterfaces(raw as RawInterfaces, (operation, interfaceName, name) => {
    const inputs = isDict(operation) ? operation['inputs'] : undefined;
    const at = [...path, interfaceName, name, 'inputs'];
    return operationOf(operation, readInputs(inputs, at, context));
  });
}

/** Reads the interfaces of a node template or of a side of a relationship of one. */
export function readValueInterfaces(raw: unknown): ValueInterfaces {
  return mapInterfaces(raw as RawInterfaces, (operation) =>
    operationOf(operation, ((isDict(operation) ? operation['inputs'] : null) ?? {}) as JsonObject),
  );
}

function mapInterfaces<T>(
  raw: RawInterfaces,
  read: (operation: string | Raw | null, interfaceName: string, name: string) => T,
): Interfaces<T> {
  const result: Record<string, Record<string, T>> = {};
  for (const [interfaceName, operations] of Object.entries(raw ?? {})) {
    const read1: Record<string, T> = {};
    for (const [name, operation] of Object.entries(operations ?? {})) {
      setOwn(read1, name, read(operation, interfaceName, name));
    }
    setOwn(result, interfaceName, read1);
  }
  return result;
}

/** Interfaces of a type over those of the type it extends: an operation it mentions replaces the inherited one. */
export function inheritInterfaces(derived: TypeInterfaces, inherited: TypeInterfaces): TypeInterfaces {
  const result: Record<string, Readonly<Record<string, TypeOperation>>> = { ...inherited };
  for (const [name, operations] of Object.entries(derived)) {
    setOwn(result, name, { ...own(inherited, name), ...operations });
  }
  return result;
}

/** Whether an operation does nothing: nothing of it is written. */
function isNoOp(operation: PlanInterfaceOperation | TypeOperation): boolean {
  const { implementation, inputs, executor, max_retries, retry_interval, timeout, timeout_recoverable } = operation;
  const settings = [executor, max_retries, retry_interval, timeout, timeout_recoverable];
  return implementation === '' && Object.keys(inputs).length === 0 && settings.every((value) => value === null);
}

/**
 * An operation of a type with values for its inputs: the defaults.
 *
 * @throws DslError 107 when an input has none
 */
export function withDefaultInputs(operation: TypeOperation, path: Path): PlanInterfaceOperation {
  return { ...operation, inputs: inputValues(operation.inputs, {}, path) };
}

/**
 * An operation of a template over that of its type. With the type's implementation, written or inherited, the type's
 * inputs and settings go on to hold; with another one nothing of the type does.
 *
 * @throws DslError 107 when an input of the type has no value
 */
export function overrideOperation(
  type: TypeOperation,
  template: PlanInterfaceOperation,
  path: Path,
): PlanInterfaceOperation {
  if (isNoOp(template) || isNoOp(type)) {
    return template;
  }
  const implementation = template.implementation || type.implementation;
  if (implementation !== type.implementation) {
    return { ...template, implementation };
  }
  return {
    implementation,
    inputs: inputValues(type.inputs, template.inputs, path),
    executor: template.executor ?? type.executor,
    max_retries: template.max_retries ?? type.max_retries,
    retry_interval: template.retry_interval ?? type.retry_interval,
    timeout: template.timeout ?? type.timeout,
    timeout_recoverable: template.timeout_recoverable ?? type.timeout_recoverable,
  };
}

function inputValues(schemas: Record<string, PropertySchema>, given: JsonObject, path: Path): JsonObject {
  const values: JsonObject = { ...defaultsOf(schemas), ...given };
  const missing: string[] = [];
  for (const [name, schema] of Object.entries(schemas)) {
    const value = own(values, name);
    if (value === undefined) {
      missing.push(`'${name}'`);
    } else if (isFunction(value) && schema.type !== undefined) {
      setOwn(values, name, { ...(value as Record<string, Json>), type: schema.type });
    }
  }
  if (missing.length > 0) {
    const names = missing.join(', ');
    throw logicError(
      107,
      missing.length === 1 ? `Input ${names} is missing a value` : `Inputs ${names} are missing a value`,
      { path, remedy: 'Give the operation a value, or the type a default' },
    );
  }
  return values;
}
