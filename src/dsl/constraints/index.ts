export { checkConstraints, checkPlainConstraints } from './check.ts';
export type { ConstrainedSubject, EntityLookup } from './check.ts';
export { pythonEquals } from './comparison.ts';
export { validateConstraintDeclarations } from './declaration.ts';
export type { ConstraintOwner } from './declaration.ts';
export { findWrongDefaults, subjectOf, validateInputDefaults } from './input-defaults.ts';
export { compilePattern } from './python-pattern.ts';
