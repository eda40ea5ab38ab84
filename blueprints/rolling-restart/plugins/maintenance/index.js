// @ts-check
/** @typedef {import('gantry/plugin').PluginContext} PluginContext */
/** @typedef {import('gantry/plugin').WorkflowContext} WorkflowContext */

const lifecycle = 'cloudify.interfaces.lifecycle';

/** Operation: starts a worker; counts how often that has happened. @param {PluginContext} ctx */
export async function start(ctx) {
  const runtime = await ctx.instance.runtimeProperties();
  const starts = Number(runtime.get('starts') ?? 0) + 1;
  runtime.set('starts', starts);
  runtime.set('running', true);
  ctx.logger.info(`${ctx.instance.id} runs (start number ${starts})`);
}

/** Operation: stops a worker. @param {PluginContext} ctx */
export async function stop(ctx) {
  (await ctx.instance.runtimeProperties()).set('running', false);
}

/** Operation: fails unless the worker runs. @param {PluginContext} ctx */
export async function check(ctx) {
  const runtime = await ctx.instance.runtimeProperties();
  const failing = /** @type {number[]} */ (ctx.inputs.fail_on ?? []);
  if (runtime.get('running') !== true || failing.includes(Number(runtime.get('starts')))) {
    throw Object.assign(new Error(`${ctx.instance.id} does not run as it should`), { name: 'NonRecoverableError' });
  }
}

/**
 * Workflow: stops, starts and checks the instances of a node in batches, so that the others go on serving. A batch
 * that does not come back ends the workflow before the next one is touched.
 *
 * @param {WorkflowContext} ctx
 */
export async function rollingRestart(ctx) {
  const { node_id: nodeId, batch_size: size } = /** @type {{node_id: string, batch_size: number}} */ (ctx.parameters);
  const instances = ctx.select({ nodeIds: [nodeId] });
  const idle = instances.filter(({ state }) => state !== 'started');
  if (idle.length > 0 && !ctx.execution.isResume) {
    throw new Error(
      `Not all instances of '${nodeId}' run: ${idle.map(({ id, state }) => `${id} is ${state}`).join(', ')}`,
    );
  }
  const batches = Math.ceil(instances.length / size);
  for (let batch = 0; batch < batches; batch += 1) {
    const members = instances.slice(batch * size, (batch + 1) * size);
    ctx.sendEvent(`Batch ${batch + 1} of ${batches}: ${members.map(({ id }) => id).join(', ')}`);
    await ctx.runGraph(`batch_${batch + 1}`, (graph) => {
      for (const instance of members) {
        graph
          .sequence(graph.subgraph(instance.id))
          .add(
            graph.setState(instance, 'stopping'),
            graph.operation(instance, `${lifecycle}.stop`),
            graph.setState(instance, 'starting'),
            graph.operation(instance, `${lifecycle}.start`),
            graph.operation(instance, 'maintenance.check'),
            graph.setState(instance, 'started'),
          );
      }
    });
  }
}
// batches that have ended are not run again, and who is in which batch does not depend on how far the workflow came
rollingRestart.resumable = true;
