import type { Clock, IdGenerator } from '../domain/clock.ts';

const mostPerMillisecond = 0x1000;

/**
 * Makes ids (version 7 UUIDs) that grow with time, for what is stored by the thousand: the store keeps an index of ids,
 * and neighbours of one moment are neighbours in it. Random ones touch another page of it each.
 * @param random makes version 4 UUIDs, from which everything but time and order is taken
 */
export function orderedIds(clock: Clock, random: IdGenerator): IdGenerator {
  let time = 0;
  let count = 0;
  let prefix = '';
  return () => {
    const now = clock.now();
    count += 1;
    if (now > time || count === mostPerMillisecond) {
      // a clock that is put back, or too coarse, must not put them out of order
      time = now > time ? now : time + 1;
      count = 0;
      const digits = time.toString(16).padStart(12, '0');
      prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
    }
    return `${prefix}${count.toString(16).padStart(3, '0')}${random().slice(18)}`;
  };
}
