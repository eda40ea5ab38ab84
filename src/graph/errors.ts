/** A tasks graph that cannot be built, restored or run as given: a mistake of the workflow that builds it. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}
