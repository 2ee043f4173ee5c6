// A jest transform that applies the mutant named by MUTANT and is @swc/jest otherwise.
import swc from '@swc/jest';
import { marks, mutate, MUTANTS } from './mutants.mjs';

const mutant = MUTANTS.find(({ name }) => name === process.env.MUTANT);
const file = mutant && marks().find(({ name }) => name === mutant.name)?.file;

export default {
  createTransformer(options) {
    const inner = swc.createTransformer(options);
    const mutated = (source, path) => {
      if (file === undefined || !path.endsWith(`/${file}`)) return source;
      const changed = mutate(source, mutant);
      if (changed === undefined) throw new Error(`The mutant "${mutant.name}" has no mark in lib/`);
      return changed;
    };
    return {
      canInstrument: inner.canInstrument,
      process: (source, path, jest) => inner.process(mutated(source, path), path, jest),
      processAsync: (source, path, jest) => inner.processAsync(mutated(source, path), path, jest),
      getCacheKey: (source, path, jest) => inner.getCacheKey(mutated(source, path), path, jest),
    };
  },
};
