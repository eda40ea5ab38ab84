import type { FunctionName } from '../dsl/functions/index.ts';

/** How a function is written, and what it gives. */
export interface FunctionHelp {
  readonly signature: string;
  readonly about: string;
}

/** Help on every intrinsic function. */
export const functionHelp: Readonly<Record<FunctionName, FunctionHelp>> = {
  get_input: {
    signature: '{get_input: name} or {get_input: [name, key or index, ...]}',
    about: 'The value of an input, or a part of it.',
  },
  get_sys: {
    signature: '{get_sys: [tenant | deployment, property]}',
    about: 'A fact about the tenant or deployment, such as its name or owner.',
  },
  get_consumers: { signature: '{get_consumers: ids | names | count}', about: 'The deployments that use this one.' },
  get_property: {
    signature: '{get_property: [node, property, key or index, ...]}',
    about: 'A property of a node template; SELF, SOURCE and TARGET name the nodes at hand.',
  },
  get_attribute: {
    signature: '{get_attribute: [node, attribute, key or index, ...]}',
    about: 'A runtime property of a node instance, read when it is needed.',
  },
  get_attributes_list: {
    signature: '{get_attributes_list: [node, attribute, ...]}',
    about: 'A runtime property of every instance of a node, as a list.',
  },
  get_attributes_dict: {
    signature: '{get_attributes_dict: [node, attribute, ...]}',
    about: 'Runtime properties of every instance of a node, by instance id.',
  },
  get_secret: {
    signature: '{get_secret: name} or {get_secret: [name, key, ...]}',
    about: 'The value of a secret, read when it is needed and never stored.',
  },
  concat: { signature: '{concat: [value, value, ...]}', about: 'Texts or lists one after the other.' },
  merge: { signature: '{merge: [mapping, mapping, ...]}', about: 'One mapping of several; later ones win.' },
  get_capability: {
    signature: '{get_capability: [deployment, capability, key or index, ...]}',
    about: 'A capability of another deployment.',
  },
  get_group_capability: {
    signature: '{get_group_capability: [group, capability, ...]}',
    about: 'Capabilities of every deployment of a deployment group.',
  },
  get_label: {
    signature: '{get_label: key} or {get_label: [key, index]}',
    about: 'Values of a label of the deployment.',
  },
  get_environment_capability: {
    signature: '{get_environment_capability: name} or {get_environment_capability: [name, ...]}',
    about: 'A capability of the environment the deployment is part of.',
  },
  string_find: { signature: '{string_find: [haystack, needle]}', about: 'Where a text stands in another, or -1.' },
  string_replace: {
    signature: '{string_replace: [text, needle, replacement, count]}',
    about: 'A text with parts of it replaced; all of them without a count.',
  },
  string_split: {
    signature: '{string_split: [text, separator, index]}',
    about: 'The parts of a text, or the part at an index.',
  },
  string_lower: { signature: '{string_lower: text}', about: 'The text in lower case.' },
  string_upper: { signature: '{string_upper: text}', about: 'The text in upper case.' },
};
