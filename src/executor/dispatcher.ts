import type { BrokerConnection } from '../amqp/connection.ts';
import { agentQueues, agentResponsesQueue, managementExchange, routingKeys, tenantVhost } from '../amqp/names.ts';
import { UnroutableError } from '../amqp/publisher.ts';
import type { OutgoingMessage } from '../amqp/publisher.ts';
import { coerceError } from '../domain/errors.ts';
import { operationError } from '../domain/operation-error.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Completion } from '../graph/graph-run.ts';
import { operationKwargs } from '../graph/operation-message.ts';
import type { MessageEnvironment } from '../graph/operation-message.ts';
import { parseStoredError } from '../graph/rows.ts';
import type { RemoteCall, Task } from '../graph/task.ts';
import type { Logger } from '../log/logger.ts';
import { findAgents, findUntaken } from '../store/driving.ts';
import type { AgentAddress } from '../store/driving.ts';
import { findAnswers } from '../store/operation-claims.ts';
import type { OperationAnswer } from '../store/operation-claims.ts';
import type { Session } from '../store/session.ts';
import type { OperationDispatcher } from './graph-driver.ts';
import type { ReplyInbox } from './reply-inbox.ts';

export interface DispatcherOptions {
  readonly executionId: string;
  readonly tenantName: string;
  readonly session: Session;
  /** Connection to the `/` vhost. */
  readonly broker: BrokerConnection;
  readonly inbox: ReplyInbox;
  readonly environment: MessageEnvironment;
  readonly log: Logger;
}

const agentRemoval = 'cloudify.interfaces.cloudify_agent.delete';

/** Whether an operation runs on a host agent; `auto` means the agent where the instance has a host. */
function runsOnAgent(call: RemoteCall): boolean {
  return call.executor === 'host_agent' || (call.executor === 'auto' && call.hostId !== undefined);
}

function failed(task: Task, kind: 'RecoverableError' | 'NonRecoverableError', message: string): Completion {
  return { taskId: task.id, outcome: { isSuccess: false, error: operationError({ kind, message }) } };
}

const unreadable = { kind: 'NonRecoverableError', message: 'The operation failed without saying why' } as const;

function toCompletion({ id, ok, result, error }: OperationAnswer): Completion {
  const outcome = ok
    ? ({ isSuccess: true, result: result ?? null } as const)
    : ({ isSuccess: false, error: parseStoredError(error) ?? operationError(unreadable) } as const);
  return { taskId: id, outcome };
}

/** Sends the operations of one execution: to the manager's own workers, or to the agents of hosts. */
export class MessageDispatcher implements OperationDispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  async send(tasks: readonly Task[]): Promise<readonly Completion[]> {
    const onAgents: [Task, RemoteCall][] = [];
    const central: Task[] = [];
    for (const task of tasks) {
      if (task.action.kind === 'remote' && runsOnAgent(task.action.call)) {
        onAgents.push([task, task.action.call]);
      } else {
        central.push(task);
      }
    }
    const outcomes = await Promise.all([this.#sendToManager(central), this.#sendToAgents(onAgents)]);
    return outcomes.flat();
  }

  /**
   * The manager's workers answer again what they have done already, so everything goes to them once more. An agent
   * does not remember: it gets an operation again only if it neither took it nor has it waiting. One whose queue is gone
   * is tried again until it is back.
   */
  async resend(tasks: readonly Task[]): Promise<readonly Completion[]> {
    const again: Task[] = [];
    const waiting: Task[] = [];
    for (const task of tasks) {
      const isAgents = task.action.kind === 'remote' && runsOnAgent(task.action.call);
      (isAgents ? waiting : again).push(task);
    }
    const outcomes = await Promise.all([this.send(again), this.#resendToAgents(waiting)]);
    return outcomes.flat();
  }

  async #sendToManager(tasks: readonly Task[]): Promise<Completion[]> {
    if (tasks.length === 0) {
      return [];
    }
    const { broker, inbox } = this.#options;
    const replyTo = await inbox.expect(tasks.map(({ id }) => id));
    const target = { task_queue: managementExchange, task_target: managementExchange };
    return this.#publish(broker, tasks, (task) => this.#message(task, managementExchange, replyTo, target), false);
  }

  async #sendToAgents(tasks: readonly (readonly [Task, RemoteCall])[]): Promise<Completion[]> {
    if (tasks.length === 0) {
      return [];
    }
    const hostIds = [...new Set(tasks.flatMap(([, call]) => call.hostId ?? []))];
    const agents = await findAgents(this.#options.session, hostIds);
    const byHost = new Map(agents.map((agent) => [agent.hostId, agent]));
    const groups = new Map<AgentAddress, Task[]>();
    const failures: Completion[] = [];
    for (const [task, call] of tasks) {
      const agent = byHost.get(call.hostId ?? '');
      if (agent) {
        groups.set(agent, [...(groups.get(agent) ?? []), task]);
      } else {
        const message =
          `${call.hostId ?? call.instanceId}: missing cloudify_agent.queue runtime information. ` +
          'This most likely means that the Compute node was never started successfully';
        failures.push(failed(task, 'NonRecoverableError', message));
      }
    }
    const outcomes = await Promise.all([...groups].map(([agent, group]) => this.#sendToAgent(agent, group)));
    return [...failures, ...outcomes.flat()];
  }

  async #sendToAgent(agent: AgentAddress, tasks: readonly Task[]): Promise<Completion[]> {
    const { inbox, executionId } = this.#options;
    const connection = this.#tenantConnection();
    const unreachable = `Timed out waiting for agent: ${agent.name}`;
    const queue = await connection.inspectQueue(agentQueues(agent.queue).operation);
    if (!queue || queue.consumers === 0) {
      return tasks.map((task) => failed(task, 'RecoverableError', unreachable));
    }
    const replyTo = agentResponsesQueue(agent.queue, executionId);
    await inbox.open(connection, replyTo, agent.queue);
    const target = {
      task_queue: agent.queue,
      task_target: agent.name,
      ...(agent.restHost === undefined ? {} : { rest_host: agent.restHost }),
    };
    const message = (task: Task): OutgoingMessage => this.#message(task, agent.queue, replyTo, target);
    const outcomes = await this.#publish(connection, tasks, message, true, unreachable);
    if (tasks.some((task) => task.action.kind === 'remote' && task.action.call.operation === agentRemoval)) {
      inbox.forget(agent.queue);
    }
    return outcomes;
  }

  async #resendToAgents(tasks: readonly Task[]): Promise<Completion[]> {
    const calls = tasks.flatMap((task) => (task.action.kind === 'remote' ? [[task, task.action.call] as const] : []));
    const hostIds = [...new Set(calls.flatMap(([, call]) => call.hostId ?? []))];
    const agents = hostIds.length > 0 ? await findAgents(this.#options.session, hostIds) : [];
    if (agents.length === 0) {
      return [];
    }
    const { inbox, executionId, session } = this.#options;
    const connection = this.#tenantConnection();
    const ids = calls.map(([{ id }]) => id);
    const lost: (readonly [Task, RemoteCall])[] = [];
    for (const agent of agents) {
      await inbox.open(connection, agentResponsesQueue(agent.queue, executionId), agent.queue);
      const queue = await connection.inspectQueue(agentQueues(agent.queue).operation);
      if (!queue || queue.messages === 0) {
        lost.push(...calls.filter(([, call]) => call.hostId === agent.hostId));
      }
    }
    // what an agent has taken does not run twice; what it has answered is in the store, if not in a queue
    const untaken = await findUntaken(session, ids);
    const answered = (await findAnswers(session, executionId)).filter(({ id }) => ids.includes(id));
    // a reply that waited in the queue has come by now, and need not be stored yet
    const unanswered = lost.filter(([{ id }]) => untaken.has(id) && !inbox.hasAnswer(id));
    const failures = await this.#sendToAgents(unanswered);
    return [...failures, ...answered.map(toCompletion)];
  }

  #tenantConnection(): BrokerConnection {
    return this.#options.broker.forVhost(tenantVhost(this.#options.tenantName));
  }

  #message(task: Task, exchange: string, replyTo: string, target: JsonObject): OutgoingMessage {
    const kwargs = operationKwargs(task, this.#options.environment);
    Object.assign(kwargs['__cloudify_context'] as JsonObject, target);
    return {
      exchange,
      routingKey: routingKeys.operation,
      body: { id: task.id, cloudify_task: { kwargs } },
      correlationId: task.id,
      replyTo,
    };
  }

  async #publish(
    connection: BrokerConnection,
    tasks: readonly Task[],
    message: (task: Task) => OutgoingMessage,
    isMandatory: boolean,
    unreachable = 'The operation could not be delivered',
  ): Promise<Completion[]> {
    const outcomes = await connection.publishAll(tasks.map(message), { isMandatory });
    return tasks.flatMap((task, index) => {
      const error = outcomes[index];
      if (!error) {
        return [];
      }
      this.#options.log.warn('Operation not delivered', { operation: task.id, reason: coerceError(error).message });
      const text = error instanceof UnroutableError ? unreachable : `${unreachable}: ${error.message}`;
      return [failed(task, 'RecoverableError', text)];
    });
  }
}
