import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerConnection } from './connection.ts';
import type { OutgoingMessage, PublishOptions } from './publisher.ts';

/** A message and the vhost it is for; undefined = that of the connection. */
export interface AddressedMessage extends OutgoingMessage {
  readonly vhost?: string | undefined;
}

/** Milliseconds a connection to a vhost that was not used before gets to open. */
const openingTime = 1000;

async function openVhost(connection: BrokerConnection): Promise<BrokerConnection> {
  if (!connection.isConnected) {
    const opened = connection.whenConnected().catch(() => undefined);
    await Promise.race([opened, delay(openingTime, undefined, { ref: false })]);
  }
  return connection;
}

/**
 * Sends messages to whatever vhosts they are for; those of one vhost in order.
 * @returns one outcome per message, in the same order: undefined when the broker has it, the error otherwise
 */
export async function publishEverywhere(
  broker: BrokerConnection,
  messages: readonly AddressedMessage[],
  options: PublishOptions,
): Promise<readonly (Error | undefined)[]> {
  const outcomes = new Array<Error | undefined>(messages.length);
  const vhosts = new Set(messages.map(({ vhost }) => vhost));
  await Promise.all(
    [...vhosts].map(async (vhost) => {
      const indexes = messages.flatMap((message, index) => (message.vhost === vhost ? [index] : []));
      const connection = vhost === undefined ? broker : await openVhost(broker.forVhost(vhost));
      const some = await connection.publishAll(
        indexes.map((index) => messages[index] as AddressedMessage),
        options,
      );
      indexes.forEach((index, position) => (outcomes[index] = some[position]));
    }),
  );
  return outcomes;
}
