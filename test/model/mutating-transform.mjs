// A jest transform that applies the mutant named by MUTANT and is @swc/jest otherwise.
import swc from '@swc/jest';
import { MUTANTS } from './mutants.mjs';

const mutant = MUTANTS.find(({ name }) => name === process.env.MUTANT);

export default {
  createTransformer(options) {
    const inner = swc.createTransformer(options);
    const mutated = (source, path) => {
      if (mutant === undefined || !path.endsWith(`/${mutant.file}`)) return source;
      if (source.split(mutant.find).length !== 2) {
        throw new Error(
          `The mutant "${mutant.name}" does not fit ${mutant.file} any more; mend it`,
        );
      }
      return source.replace(mutant.find, () => mutant.replace);
    };
    return {
      canInstrument: inner.canInstrument,
      process: (source, path, jest) => inner.process(mutated(source, path), path, jest),
      processAsync: (source, path, jest) => inner.processAsync(mutated(source, path), path, jest),
      getCacheKey: (source, path, jest) => inner.getCacheKey(mutated(source, path), path, jest),
    };
  },
};
