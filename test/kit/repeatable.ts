import fc from 'fast-check';

/**
 * Loaded before every test: property-based tests try the same examples on every machine, so that a run that was green
 * stays green. `GANTRY_TEST_SEED=random` goes looking for new ones, a number repeats what was found.
 */
const seed = process.env['GANTRY_TEST_SEED'] ?? '20260101';
fc.configureGlobal(seed === 'random' ? {} : { seed: Number(seed) });
