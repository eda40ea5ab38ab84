import type { Json, JsonObject, PlanNode } from '../../domain/plan.ts';
import type { EvaluationData, EvaluationNode } from './data.ts';
import { evaluationError, missingReference } from './errors.ts';
import { unknownInput } from './input.ts';

function needsDeployment(name: string): Error {
  return evaluationError(name, `\`${name}\` should be evaluated at runtime only`);
}

/** The facts there are before a deployment exists: its inputs and the nodes of its plan. */
export class PlanData implements EvaluationData {
  readonly isStatic = true;
  readonly #inputs: JsonObject;
  readonly #nodes: Map<string, EvaluationNode>;

  constructor(inputs: JsonObject, nodes: readonly PlanNode[]) {
    this.#inputs = inputs;
    this.#nodes = new Map(
      nodes.map((node) => [node.name, { id: node.name, properties: node.properties, relationships: [] }]),
    );
  }

  input(name: string): Json {
    if (!Object.hasOwn(this.#inputs, name)) {
      throw unknownInput(name);
    }
    return this.#inputs[name] as Json;
  }

  node(id: string): EvaluationNode {
    const node = this.#nodes.get(id);
    if (node === undefined) {
      throw missingReference(`Node ${id} does not exist`);
    }
    return node;
  }

  instance(): never {
    throw needsDeployment('get_attribute');
  }

  findInstance(): never {
    throw needsDeployment('get_attribute');
  }

  instancesOf(): never {
    throw needsDeployment('get_attribute');
  }

  secret(): never {
    throw needsDeployment('get_secret');
  }

  deployment(): never {
    throw needsDeployment('get_capability');
  }

  groupMembers(): never {
    throw needsDeployment('get_group_capability');
  }

  labelValues(): never {
    throw needsDeployment('get_label');
  }

  consumers(): never {
    throw needsDeployment('get_consumers');
  }

  system(): never {
    throw needsDeployment('get_sys');
  }
}
