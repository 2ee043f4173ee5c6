import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/14-xml/app.module.js';
import { toXml } from '../../sample/14-xml/to-xml.js';
import { openStream, runSample } from '../support/sample.js';

describe('sample 14, XML', () => {
  // feature: 116
  it('writes a line of XML per line of data, and the client has the original', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/weather');
    const { type, data } = await stream.next();
    expect(type).toBe('weather');
    expect(data).toMatch(
      /^<weather>\n {2}<town>Hay &amp; Wye<\/town>\n {2}<celsius>8<\/celsius>\n {2}<wind>2 m\/s<\/wind>\n {2}<time>.*Z<\/time>\n<\/weather>$/,
    );
    const wire = String(data)
      .split('\n')
      .map((line) => `data: ${line}\n`);
    expect(stream.text.endsWith(`\n\nevent: weather\n${wire.join('')}\n`)).toBe(true);
  });

  it('leaves no markup in a text', () => {
    expect(toXml({ a: '</a><b>&', n: 1 })).toBe(
      '<message>\n  <a>&lt;/a&gt;&lt;b&gt;&amp;</a>\n  <n>1</n>\n</message>',
    );
  });
});
