import type { Json } from '../domain/plan.ts';
import { failureOf, retryOutcome } from './failure.ts';
import type { OperationSession } from './session/operation-session.ts';
import { abortedError } from './time-limit.ts';
import type { OperationOutcome } from './types.ts';

/**
 * Does the work of an operation and what follows in any case: saving changed runtime properties, and turning a wish for
 * another attempt, an abort or an exception into the reply.
 * @param perform the work; its result is the operation's
 */
export async function outcomeOf(
  session: OperationSession,
  perform: () => Json | undefined | void | Promise<Json | undefined | void>,
): Promise<OperationOutcome> {
  let outcome: OperationOutcome;
  try {
    await evaluateInputs(session);
    const result = await perform();
    // it is stored, told in an event and shown
    outcome = { ok: true, result: session.secrets.applyToJson(result ?? null) };
  } catch (thrown) {
    const cause = session.signal.aborted ? abortedError(session.context, session.signal.reason) : thrown;
    outcome = { ok: false, error: failureOf(cause, session.secrets) };
  }
  try {
    await session.save();
  } catch (thrown) {
    if (outcome.ok) {
      outcome = { ok: false, error: failureOf(thrown, session.secrets) };
    } else {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      void session.log('warning', `Runtime properties could not be saved: ${reason}`);
    }
  }
  if (outcome.ok && session.retryRequest !== undefined) {
    const { message, retryAfter } = session.retryRequest;
    return { ok: false, error: failureOf(retryOutcome(message, retryAfter), session.secrets) };
  }
  return outcome;
}

async function evaluateInputs(session: OperationSession): Promise<void> {
  if (session.context.has_intrinsic_functions === true) {
    const evaluated = await session.host.evaluateFunctions(session.context, session.inputs);
    session.secrets.add(evaluated.secrets ?? []);
    session.inputs = evaluated.value;
  }
}
