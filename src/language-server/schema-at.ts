import type { Path } from '../dsl/errors.ts';
import { blueprint } from '../dsl/schema/blueprint.ts';
import type { Element } from '../dsl/schema/element.ts';

/** Every element a path may lead to; more than one where a construct has several forms. */
function elementsAt(path: Path): Element[] {
  let elements: Element[] = [blueprint];
  for (const step of path) {
    elements = elements.flatMap(({ schemas }) =>
      schemas.flatMap((schema): Element[] => {
        switch (schema.kind) {
          case 'fields': {
            const field = Object.hasOwn(schema.fields, step) ? schema.fields[step] : undefined;
            return field ? [field] : [];
          }
          case 'dict':
            return typeof step === 'string' ? [schema.of] : [];
          case 'list':
            return typeof step === 'number' ? [schema.of] : [];
          case 'leaf':
            return [];
        }
      }),
    );
  }
  return elements;
}

/** The construct of the language at a path. */
export function elementAt(path: Path): Element | undefined {
  return elementsAt(path)[0];
}

/** Fixed keys the mapping at a path may have. */
export function fieldsAt(path: Path): Map<string, Element> {
  const fields = elementsAt(path).flatMap(({ schemas }) =>
    schemas.flatMap((schema) => (schema.kind === 'fields' ? Object.entries(schema.fields) : [])),
  );
  return new Map(fields);
}

/** Texts the value at a path may be. */
export function choicesAt(path: Path): string[] {
  return elementsAt(path).flatMap((element) => {
    const isBoolean = element.schemas.some((schema) => schema.kind === 'leaf' && schema.types.includes('boolean'));
    const isOnlyBoolean =
      isBoolean && element.schemas.every((schema) => schema.kind === 'leaf' && schema.types.length === 1);
    return [...(element.choices ?? []), ...(isOnlyBoolean ? ['true', 'false'] : [])];
  });
}

/** Whether a path leads to, or into, values that intrinsic functions may stand in. */
export function takesFunctions(path: Path): boolean {
  for (let length = path.length; length > 0; length -= 1) {
    const elements = elementsAt(path.slice(0, length));
    if (elements.length > 0) {
      return elements.some(({ schemas }) =>
        schemas.some((schema) => schema.kind === 'leaf' && schema.types.includes('dict')),
      );
    }
  }
  return false;
}
