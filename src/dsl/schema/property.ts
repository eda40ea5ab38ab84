import type { Json } from '../../domain/plan.ts';
import { validateConstraintDeclarations } from '../constraints/index.ts';
import type { ConstraintOwner } from '../constraints/index.ts';
import { pythonText } from '../../domain/python-text.ts';
import { inputTypeError, logicError } from '../errors.ts';
import { primitiveTypes, versionOfType } from '../types/names.ts';
import { isOlder } from '../versions.ts';
import { anything, bool, dictOf, fields, integer, listOf, mapping, reference, text } from './element.ts';
import type { CheckContext, Element } from './element.ts';
import { nearestName } from './names.ts';
import { versionError } from './validate.ts';

const typeElement = reference({
  about: 'A primitive type or a data type of the blueprint.',
  check: (value: string, context) => {
    const since = versionOfType(value);
    if (since && context.version && isOlder(context.version, since)) {
      throw versionError('type', value, context.version, since, context.path);
    }
  },
});

const itemType = text({
  about: 'Type of the items of a list: a primitive type.',
  since: [1, 4],
  check: (value: string, { parent, path }) => {
    const type = parent?.['type'];
    if (type !== 'list') {
      throw logicError(218, `Property item_type defined for unsupported type: '${pythonText(type)}'`, {
        path,
        remedy: 'Give the property `type: list`',
      });
    }
    if (value !== '' && !primitiveTypes.has(value)) {
      const remedy = nearestName(value, primitiveTypes);
      throw logicError(217, `Illegal item_type '${value}'`, { path, remedy });
    }
  },
});

const required = bool({ since: [1, 2], about: 'Whether a value must be given. Default true.' });
const description = text({ about: 'Shown to people.' });
const displayLabel = text({ since: [1, 3], about: 'Name shown instead of the key.' });
const defaultValue = anything({ about: 'Value when none is given.' });

/** Schema of a property of a node type, relationship type, data type, policy type or policy trigger. */
const property: Element = fields({ required, default: defaultValue, description, type: typeElement });

export const properties: Element = dictOf(
  { ...property, isRequired: true },
  { about: 'Properties and their schemas.' },
);

function constraintsOf(kind: ConstraintOwner['kind']): Element {
  return listOf(mapping(), {
    about: 'Rules a value must keep, each `{operator: argument}`.',
    check: (value: Json[], { path, version }) => {
      validateConstraintDeclarations(value, { kind, name: String(path.at(-2)), version, path });
    },
  });
}

const display = fields(
  { rows: integer({ about: 'Height of the text area.' }) },
  {
    about: 'How a form shows a textarea.',
    check: (_value: unknown, { parent, path }) => {
      const type = parent?.['type'];
      if (type !== 'textarea') {
        const name = String(path.at(-2));
        const given = pythonText(type);
        const message = `\`display\` property defined for unsupported input type (${given}) for input \`${name}\`.`;
        throw inputTypeError(216, message, { path, remedy: 'Only `type: textarea` has `display`' });
      }
    },
  },
);

function checkHiddenInput(value: Record<string, unknown>, { path }: CheckContext): void {
  const isRequired = value['required'] ?? !Object.hasOwn(value, 'required');
  if (isRequired === true && value['hidden'] === true && !Object.hasOwn(value, 'default')) {
    const name = String(path.at(-1));
    throw logicError(215, `Input is both hidden and required thus it should have a default value: '${name}'.`, {
      path,
      remedy: 'Give it a `default`, or `required: false`',
    });
  }
}

/** Schema of a blueprint input, or of an input of an operation of a type. */
export const input: Element = fields(
  {
    required,
    default: defaultValue,
    description,
    type: typeElement,
    item_type: itemType,
    constraints: constraintsOf('input'),
    display_label: displayLabel,
    hidden: bool({ since: [1, 3], about: 'Whether forms leave the input out.' }),
    display,
  },
  { check: checkHiddenInput },
);

export const workflowParameter: Element = fields({
  required,
  default: defaultValue,
  description,
  type: typeElement,
  item_type: itemType,
  constraints: constraintsOf('parameter'),
});

export const pluginProperty: Element = fields({
  description,
  type: typeElement,
  display_label: displayLabel,
  value: anything({ about: 'The value the plugin gets.' }),
});
