'use client';

import { useReducer } from 'react';
import { useEvents, useStream } from 'nestjs-eventstream/react';

function change(orders, { type, data }) {
  switch (type) {
    case 'orders':
      return data.orders;
    case 'created':
      return [data, ...orders];
    case 'changed':
      return orders.map((order) => (order.no === data.no ? data : order));
    default:
      return orders;
  }
}

export function Orders({ url }) {
  const { stream, state } = useStream(url);
  const [orders, dispatch] = useReducer(change, []);
  useEvents(stream, dispatch);
  return (
    <>
      <p id="state">{state}</p>
      <ul>
        {orders.map(({ no, item, status }) => (
          <li key={no}>
            {item}: {status}
          </li>
        ))}
      </ul>
    </>
  );
}
