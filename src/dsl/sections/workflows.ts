import type { JsonObject, PlanPlugin, PlanWorkflow } from '../../domain/plan.ts';
import { formatError } from '../errors.ts';
import { findImplementation } from '../interfaces/implementation.ts';
import type { ImplementationContext } from '../interfaces/implementation.ts';
import { isDict } from '../schema/element.ts';
import { readInputs } from '../types/schemas.ts';
import type { Raw, SchemaContext } from '../types/schemas.ts';
import { setOwn } from '../yaml/marks.ts';

export interface ReadWorkflows {
  readonly workflows: Record<string, PlanWorkflow>;
  /** Plugins of the workflows, in the order of their first use. */
  readonly plugins: PlanPlugin[];
}

/** Reads the section `workflows`. */
export function readWorkflows(
  section: unknown,
  implementations: ImplementationContext,
  context: SchemaContext,
): ReadWorkflows {
  const workflows: Record<string, PlanWorkflow> = {};
  const plugins = new Map<string, PlanPlugin>();
  for (const [name, raw] of Object.entries((section ?? {}) as Record<string, string | Raw>)) {
    context.problems.attempt(['workflows', name], () => {
      const { workflow, plugin } = readWorkflow(name, raw, implementations, context);
      setOwn(workflows, name, workflow);
      if (!plugins.has(plugin.name)) {
        plugins.set(plugin.name, plugin);
      }
    });
  }
  return { workflows, plugins: [...plugins.values()] };
}

function readWorkflow(
  name: string,
  raw: string | Raw,
  implementations: ImplementationContext,
  context: SchemaContext,
): { workflow: PlanWorkflow; plugin: PlanPlugin } {
  const written: Raw = isDict(raw) ? raw : { mapping: raw };
  const path = isDict(raw) ? ['workflows', name, 'mapping'] : ['workflows', name];
  const mapping = written['mapping'] as string;
  if (mapping === '') {
    throw formatError(1, `The mapping of workflow '${name}' is empty`, {
      path,
      remedy: 'Write <plugin>.<function>, or the path of a script',
    });
  }
  const parameters = readInputs(written['parameters'], ['workflows', name, 'parameters'], context);
  const use = { kind: 'workflow', name, code: 21, where: '', path } as const;
  const { plugin, task, scriptInput } = findImplementation(mapping, parameters, use, implementations);
  if (scriptInput) {
    parameters[scriptInput] = { default: mapping, description: 'Workflow script executed by the script plugin' };
  }
  const workflow: PlanWorkflow = {
    plugin: plugin.name,
    operation: task,
    parameters,
    is_cascading: (written['is_cascading'] as boolean | undefined) ?? false,
    availability_rules: (written['availability_rules'] as JsonObject | undefined) ?? null,
  };
  return { workflow, plugin };
}
