import { formatError, logicError, parsingError } from '../errors.ts';
import { pluginExecutors, scalingPolicyType } from '../types/names.ts';
import {
  anything,
  bool,
  dictOf,
  either,
  fields,
  integer,
  isDict,
  leaf,
  listOf,
  mapping,
  namesOf,
  reference,
  text,
} from './element.ts';
import type { CheckContext, Element } from './element.ts';
import { templateInterfaces, typeInterfaces } from './operation.ts';
import { input, pluginProperty, properties, workflowParameter } from './property.ts';
import { scalableProperties } from './scalable.ts';
import { deploymentSettings } from './schedules.ts';

/** An entry of a section that cannot be left empty. */
function filled(element: Element): Element {
  return { ...element, isRequired: true };
}

const plugin = fields({
  source: text({ about: 'Where the plugin is installed from.' }),
  executor: text({
    isRequired: true,
    choices: pluginExecutors,
    about: 'Who runs its operations.',
    check: (value: string, { path }) => {
      if (!pluginExecutors.includes(value)) {
        const plugin = String(path.at(-2));
        const valid = `value must be either '${pluginExecutors.join("' or '")}'`;
        throw logicError(18, `Plugin '${plugin}' has an illegal 'executor' value '${value}'; ${valid}`, { path });
      }
    },
  }),
  install: bool({ about: 'Whether it must be installed. Default true.' }),
  install_arguments: text({ since: [1, 1] }),
  package_name: text({ since: [1, 2] }),
  package_version: text({ since: [1, 2], about: 'In quotes: an unquoted 1.0 is a number.' }),
  supported_platform: text({ since: [1, 2] }),
  distribution: text({ since: [1, 2] }),
  distribution_version: text({ since: [1, 2] }),
  distribution_release: text({ since: [1, 2] }),
  properties_description: text({ since: [1, 5] }),
  properties: namesOf(pluginProperty, { since: [1, 5] }),
});

const nodeType = fields({
  derived_from: reference({ about: 'The node type it extends.' }),
  properties,
  runtime_properties: properties,
  interfaces: typeInterfaces,
});

const relationshipType = fields({
  derived_from: reference({ about: 'The relationship type it extends.' }),
  properties,
  source_interfaces: typeInterfaces,
  target_interfaces: typeInterfaces,
});

const dataType = fields({
  derived_from: reference({ about: 'The data type it extends.' }),
  properties,
  description: text(),
  version: text(),
});

const templateRelationship = fields({
  type: reference({ isRequired: true }),
  target: reference({ isRequired: true }),
  properties: mapping(),
  source_interfaces: templateInterfaces,
  target_interfaces: templateInterfaces,
});

const nodeTemplate = fields({
  type: reference({ isRequired: true, about: 'Its node type.' }),
  properties: mapping(),
  instances: fields(
    {
      deploy: integer({
        isRequired: true,
        check: (value: number, { path }) => {
          if (value < 0) {
            throw formatError(1, 'deploy instances must be a non-negative number', { path });
          }
        },
      }),
    },
    { about: 'Deprecated; write `capabilities.scalable`.' },
  ),
  capabilities: fields(
    { scalable: fields({ properties: scalableProperties }) },
    {
      since: [1, 3],
      check: (_value: unknown, { parent, path }) => {
        const instances = parent?.['instances'];
        if (isDict(instances) && instances['deploy'] !== undefined && instances['deploy'] !== null) {
          const what = 'both instances.deploy and capabilities.scalable (Note: instances.deploy is deprecated)';
          throw logicError(209, `Node '${String(path.at(-2))}' defines ${what}`, { path });
        }
      },
    },
  ),
  interfaces: templateInterfaces,
  relationships: listOf(filled(templateRelationship)),
});

const policyType = fields({ properties, source: text({ isRequired: true }) });
const policyTrigger = fields({ parameters: properties, source: text({ isRequired: true }) });

const groupPolicy = fields({
  type: reference({ isRequired: true }),
  properties: mapping(),
  triggers: namesOf(fields({ type: reference({ isRequired: true }), parameters: mapping() }, { isRequired: true })),
});

const group = fields({
  members: listOf(reference(), {
    isRequired: true,
    about: 'Node templates and groups.',
    check: (value: unknown[], { path }) => {
      if (value.length === 0) {
        throw formatError(1, 'At least one member should be specified', { path });
      }
    },
  }),
  policies: namesOf(filled(groupPolicy)),
});

const policy = fields({
  type: reference({
    isRequired: true,
    choices: [scalingPolicyType],
    check: (value: string, { path }) => {
      if (value !== scalingPolicyType) {
        const only = `Only '${scalingPolicyType}' policy type is supported.`;
        throw logicError(204, `'${value}' policy type is not implemented. ${only}`, { path });
      }
    },
  }),
  properties: scalableProperties,
  targets: listOf(reference(), {
    isRequired: true,
    about: 'Groups that are scaled.',
    check: (value: unknown[], { path }) => {
      if (value.length === 0) {
        const rule = 'At least one target group is required.';
        throw logicError(206, `Policy '${String(path.at(-2))}' has no targets groups defined for it. ${rule}`, {
          path,
        });
      }
    },
  }),
});

const activity = ['all', 'partial', 'none'];

const workflow = either(
  reference({ about: '`<plugin>.<function>`, or the path or URL of a script.' }),
  fields({
    mapping: reference({ isRequired: true }),
    parameters: dictOf(workflowParameter),
    is_cascading: bool(),
    availability_rules: fields(
      {
        available: bool(),
        node_instances_active: leaf(['list'], {
          check: (value: unknown[], { path }) => {
            if (value.some((item) => !activity.includes(item as string))) {
              const given = value.map((item) => `'${String(item)}'`).join(', ');
              const allowed = `Allowed values: ('${activity.join("', '")}')`;
              const message = `Invalid definition of 'active_node_instances' availability rule: '[${given}]'. ${allowed}`;
              throw logicError(103, message, { path });
            }
          },
        }),
        node_types_required: listOf(text()),
      },
      { since: [1, 4] },
    ),
  }),
  { isRequired: true, isReference: true },
);

const resultValue = fields({ description: text(), value: anything({ isRequired: true }) });

function labelWith(check: (values: unknown[], name: string, context: CheckContext) => void): Element {
  return fields({
    values: leaf(['list'], {
      isRequired: true,
      check: (value: unknown[], context) => {
        check(value, String(context.path.at(-2)), context);
      },
    }),
  });
}

const blueprintLabel = labelWith((values, name, { path }) => {
  if (values.some((value) => typeof value !== 'string')) {
    const message = `The blueprint label's value must be a string. Please modify the values of ${name}`;
    throw parsingError(1, message, { path });
  }
});

const deploymentLabel = labelWith((values, name, { path }) => {
  for (const value of values) {
    if (typeof value !== 'string' && !isDict(value)) {
      const rule = "The label's value must be a string or an intrinsic function.";
      throw parsingError(1, `${rule} Please modify the values of ${name}`, { path });
    }
    if (isDict(value) && Object.hasOwn(value, 'get_attribute')) {
      const rule = "The label's value cannot be a runtime property.";
      const remedy = `Please remove the \`get_attribute\` function from the values of ${name}`;
      throw parsingError(1, `${rule} ${remedy}`, { path });
    }
  }
});

/** Every section of a blueprint. */
export const sections: Readonly<Record<string, Element>> = {
  tosca_definitions_version: text({ about: 'Version of the language.' }),
  description: text({ since: [1, 2], about: 'Description of the blueprint.' }),
  imports: leaf(['list'], { about: 'Files, plugins and blueprints that are merged into this one.' }),
  dsl_definitions: leaf(['dict', 'list'], { since: [1, 2], about: 'A place for YAML anchors.' }),
  metadata: mapping({ about: 'Anything; kept with the plan.' }),
  inputs: namesOf(input, { about: 'What a deployment is asked for.' }),
  plugins: namesOf(filled(plugin), { about: 'Plugins whose operations are used.' }),
  node_types: namesOf(filled(nodeType), { about: 'Types of nodes.' }),
  relationships: namesOf(filled(relationshipType), { about: 'Types of relationships.' }),
  node_templates: namesOf(filled(nodeTemplate), { about: 'The nodes of a deployment.' }),
  policy_types: namesOf(filled(policyType), { about: 'Kept for old blueprints; never run.' }),
  policy_triggers: namesOf(filled(policyTrigger), { about: 'Kept for old blueprints; never run.' }),
  groups: namesOf(filled(group), { about: 'Groups of nodes.' }),
  policies: namesOf(filled(policy), { since: [1, 3], about: 'Scaling policies of groups.' }),
  workflows: namesOf(workflow, { about: 'Workflows.' }),
  outputs: namesOf(resultValue, { about: 'Values a deployment shows.' }),
  data_types: namesOf(filled(dataType), { since: [1, 2], about: 'Types of structured properties and inputs.' }),
  capabilities: namesOf(resultValue, { about: 'Values other deployments can read.' }),
  imported_blueprints: listOf(text()),
  namespaces_mapping: namesOf(text()),
  labels: namesOf(filled(deploymentLabel), { about: 'Labels deployments get.' }),
  blueprint_labels: namesOf(filled(blueprintLabel), { about: 'Labels the blueprint gets.' }),
  deployment_settings: deploymentSettings,
  resource_tags: namesOf(anything(), { since: [1, 3], about: 'Tags plugins put on what they create.' }),
};

/** A whole blueprint. */
export const blueprint: Element = fields(sections);
