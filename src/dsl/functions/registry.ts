import { getAttribute } from './attribute.ts';
import { getAttributesDict, getAttributesList } from './attributes.ts';
import { getCapability, getEnvironmentCapability, getGroupCapability } from './capability.ts';
import { concat, merge } from './composite.ts';
import type { FunctionDefinition } from './definition.ts';
import { getInput } from './input.ts';
import { getLabel } from './label.ts';
import { getProperty } from './property.ts';
import type { FunctionName } from './recognise.ts';
import { getSecret } from './secret.ts';
import { getConsumers, getSys } from './system.ts';
import { stringFind, stringLower, stringReplace, stringSplit, stringUpper } from './text.ts';

/** The intrinsic functions, by name. */
export const FUNCTIONS: { readonly [name in FunctionName]: FunctionDefinition } = {
  get_input: getInput,
  get_sys: getSys,
  get_consumers: getConsumers,
  get_property: getProperty,
  get_attribute: getAttribute,
  get_attributes_list: getAttributesList,
  get_attributes_dict: getAttributesDict,
  get_secret: getSecret,
  concat,
  merge,
  get_capability: getCapability,
  get_group_capability: getGroupCapability,
  get_label: getLabel,
  get_environment_capability: getEnvironmentCapability,
  string_find: stringFind,
  string_replace: stringReplace,
  string_split: stringSplit,
  string_lower: stringLower,
  string_upper: stringUpper,
};
