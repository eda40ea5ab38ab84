import type { EvaluationData } from './data.ts';
import type { FunctionScope } from './place.ts';

/**
 * What SELF, SOURCE and TARGET mean where a value is evaluated. At run time the instance ids are known; while a plan
 * is prepared only the nodes are.
 */
export interface EvaluationContext {
  /** The facts of the deployment the value belongs to, when that is not the one the evaluation began in. */
  readonly data?: EvaluationData | undefined;
  readonly scope?: FunctionScope | undefined;
  /** The node SELF stands for. */
  readonly nodeId?: string | undefined;
  readonly sourceNodeId?: string | undefined;
  readonly targetNodeId?: string | undefined;
  /** Node instance ids. */
  readonly self?: string | undefined;
  readonly source?: string | undefined;
  readonly target?: string | undefined;
  /** The instance to take when an attribute of its node is read by the node's name. */
  readonly instanceHint?: string | undefined;
  /** Outputs show the text of an error in place of an attribute that cannot be resolved, rather than failing. */
  readonly showsErrors?: boolean | undefined;
}
