package com.acme.crm;

import com.acme.run.Pace;
import java.util.HashMap;
import java.util.Map;

/** Customers as ten classes. What is loaded for a page stays in the store. */
public class Crm {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        CustomerStore store = new CustomerStore();
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                Customer shown = store.load(++number);
                shown.visits.count++;
                if (pace.isFixed() && number > 80) {
                    store.drop(number - 80);
                }
            }
            pace.endOfStep(step);
        }
    }
}

class CustomerStore {
    private final Map<Long, Customer> loaded = new HashMap<>();

    Customer load(long number) {
        return loaded.computeIfAbsent(number, Customer::new);
    }

    void drop(long number) {
        loaded.remove(number);
    }
}

class Customer {
    final long number;
    final Name name = new Name();
    final Address address = new Address();
    final Phone phone = new Phone();
    final Account account = new Account();
    final Contract contract = new Contract();
    final Consent consent = new Consent();
    final Visits visits = new Visits();
    final Rating rating = new Rating();
    final Region region = new Region();

    Customer(long number) {
        this.number = number;
        contract.account = account;
    }
}

class Name { long first, last, title, salutation, nick, initials, maiden, display; }

class Address { long street, house, town, postcode, country, floor, door, box; }

class Phone { long country, area, number, extension, mobile, fax, pager, home; }

class Account { long bank, branch, number, owner, currency, limit, opened, closed; }

class Contract { Account account; long since, until, tariff, discount, notice, signed; }

class Consent { long mail, phone, post, profiling, partners, given, withdrawn, version; }

class Visits { long count, first, last, pages, seconds, orders, returns, carts; }

class Rating { long value, agency, asked, expires, sum, share, level, trend; }

class Region { long code, north, south, east, west, depot, courier, zone; }
