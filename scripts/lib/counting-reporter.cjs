/**
 * Mocha reporter: dots while it runs, and at the end the counts as JSON in the file GANTRY_TEST_COUNTS names, so that
 * the program that runs several suites can add them up.
 */
const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

module.exports = class CountingReporter extends reporters.Dot {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      const file = process.env.GANTRY_TEST_COUNTS;
      if (file) {
        writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
      }
    });
  }
};
